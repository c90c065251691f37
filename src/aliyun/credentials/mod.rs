//! Credentials: one file per way to log in. What can change is read again for each attempt, and
//! temporary credentials are renewed before they expire, so a rotation needs no restart. Source:
//! "Credentials" in `docs/alibaba-cloud-api.md`.

mod cache;
mod chain;
mod cli_profile;
mod context;
mod credential;
mod credentials_file;
mod credentials_uri;
mod ecs_ram_role;
mod environment;
mod failure;
mod fixed;
mod http;
mod oidc;
mod provided;
mod sts;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex as Flight;
use tracing::{info, warn};

pub use self::cli_profile::key_of_profile;
pub use self::credentials_file::key_of_section;

use self::cache::{Advice, Cache, News};
use self::chain::Chain;
use self::context::{Environment, ProviderContext};
use self::failure::Failure;
use self::http::Http;
use self::provided::ProvidedCredential;
use self::sts::Role;
use super::Error;
use super::http::Transport;
use crate::config::{Account, AssumeRole, Credentials};
use crate::model::Login;

pub use self::credential::Credential;

/// The credentials of an account. Clones share their state.
#[derive(Clone, Debug)]
pub struct Provider(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    account: String,
    source: Credentials,
    role: Option<Role>,
    chain: Chain,
    context: ProviderContext,
    /// Timeout for all requests for one credential together.
    limit: Duration,
    cache: Mutex<Cache>,
    /// Held while a request for credentials is in flight, so that concurrent attempts share it.
    flight: Arc<Flight<()>>,
}

impl Provider {
    /// The provider that the configuration names. `transport` is the account's own, `timeout`
    /// applies to each request.
    ///
    /// # Errors
    /// [`Error::Transport`] if no HTTP client can be made.
    pub(super) fn new(
        account: &Account,
        transport: Transport,
        timeout: Duration,
    ) -> Result<Self, Error> {
        Self::with_environment(account, transport, timeout, Arc::new(super::http::environment))
    }

    /// The URL for assuming a role, if the configuration has a role.
    pub(super) fn sts(&self) -> Option<String> {
        let is_asked = self.0.role.is_some() || matches!(self.0.source, Credentials::Oidc(_));
        is_asked
            .then(|| sts::endpoint(&Role::default(), &self.0.context).ok())
            .flatten()
            .map(|(url, _)| url)
    }

    /// Like `new`, with the given environment.
    fn with_environment(
        account: &Account,
        transport: Transport,
        timeout: Duration,
        environment: Environment,
    ) -> Result<Self, Error> {
        let http = Http::new(transport, timeout)?;
        Ok(Self(Arc::new(Shared {
            account: account.name.clone(),
            source: account.credentials.clone(),
            role: account.assume_role.as_ref().map(role),
            chain: Chain::default(),
            context: ProviderContext::new(account, http, environment),
            limit: timeout * 3,
            cache: Mutex::default(),
            flight: Arc::default(),
        })))
    }

    /// The credential to sign the next attempt with.
    ///
    /// # Errors
    /// [`Error::Credentials`], which says what is missing and where it was searched for.
    pub async fn credential(&self, now: Timestamp) -> Result<Arc<Credential>, Error> {
        let advice = self.0.cache().advice(now);
        match advice {
            Advice::Use(credential) => Ok(credential),
            Advice::Renew(credential) => {
                self.renew(now);
                Ok(credential)
            }
            Advice::Ask => self.ask(now).await,
            Advice::Fail(error) => Err(error),
        }
    }

    /// The cloud has answered a request signed with it.
    pub fn accepted(&self, credential: &Arc<Credential>) {
        self.0.cache().accepted(credential);
    }

    /// The cloud has refused a request because of its credential. Returns whether there is another
    /// one by now.
    pub async fn rejected(&self, credential: &Arc<Credential>, now: Timestamp) -> bool {
        self.0.cache().rejected(credential);
        self.credential(now).await.is_ok_and(|present| present != *credential)
    }

    /// Starts to renew the current credential if that is due, without waiting. Returns how the
    /// account is logged in.
    pub fn keep(&self, now: Timestamp) -> Login {
        let (advice, ends, login) = {
            let cache = self.0.cache();
            (cache.advice(now), cache.expires().is_some(), cache.login(now))
        };
        if ends && matches!(advice, Advice::Renew(_) | Advice::Ask) {
            self.renew(now);
        }
        login
    }

    /// Requests a credential, or waits for the request in flight.
    async fn ask(&self, now: Timestamp) -> Result<Arc<Credential>, Error> {
        let asked = self.0.cache().asked();
        let _flight = self.0.flight.lock().await;
        if self.0.cache().asked() == asked {
            self.0.fetch(now).await;
        }
        self.0.cache().answer(now)
    }

    /// Requests a credential in the background, unless a request is in flight.
    fn renew(&self, now: Timestamp) {
        if let Ok(flight) = Arc::clone(&self.0.flight).try_lock_owned() {
            let shared = Arc::clone(&self.0);
            tokio::spawn(async move {
                shared.fetch(now).await;
                drop(flight);
            });
        }
    }
}

impl Shared {
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self, now: Timestamp) {
        let limit = humantime::format_duration(self.limit);
        let result = match tokio::time::timeout(self.limit, self.issue(now)).await {
            Ok(Ok(provided)) => Ok(provided),
            Ok(Err(failure)) => Err(Error::Credentials(failure.text().to_owned())),
            Err(_) => Err(Error::Credentials(format!("no credentials within {limit}"))),
        };
        let account = &self.account;
        let news = self.cache().put(result, now);
        match news {
            Some(News::Failed(error)) => {
                warn!(account, %error, "could not renew credentials; the present ones are used while they last");
            }
            Some(News::Late(late)) => {
                warn!(
                    account,
                    "{late}; they are used all the same, and asked for again at growing pauses"
                )
            }
            Some(News::Well) => info!(account, "there are credentials again"),
            None => {}
        }
    }

    async fn issue(&self, now: Timestamp) -> Result<ProvidedCredential, Failure> {
        let context = &self.context;
        let provided = match &self.source {
            Credentials::Default => self.chain.issue(context, now).await,
            Credentials::Environment => environment::issue(context),
            Credentials::AccessKey { access_key_id, access_key_secret } => {
                fixed::issue(access_key_id, access_key_secret, None).await
            }
            Credentials::Sts { access_key_id, access_key_secret, security_token } => {
                fixed::issue(access_key_id, access_key_secret, Some(security_token)).await
            }
            Credentials::Profile { name } => profile(name.as_deref(), context, now).await,
            Credentials::EcsRamRole { role_name } => {
                ecs_ram_role::issue(role_name.as_deref(), context).await
            }
            Credentials::Oidc(own) => oidc::issue(own, context, now).await,
            Credentials::Uri { uri } => credentials_uri::issue(uri.as_ref(), context).await,
        }?;
        match &self.role {
            Some(role) => sts::assume_role(&provided, role, context, now).await,
            None => Ok(provided),
        }
    }
}

/// A profile of the `aliyun` command line or, if that has no file, a section of the credentials
/// file.
async fn profile(
    name: Option<&str>,
    context: &ProviderContext,
    now: Timestamp,
) -> Result<ProvidedCredential, Failure> {
    let first = match cli_profile::issue(name, context, now).await {
        Err(Failure::Absent(reason)) => reason,
        other => return other,
    };
    match credentials_file::issue(name, context, now).await {
        Err(Failure::Absent(second)) => {
            Err(Failure::failed(format!("no profile anywhere: {first}; {second}")))
        }
        other => other,
    }
}

fn role(configured: &AssumeRole) -> Role {
    Role {
        arn: configured.arn.clone(),
        session_name: configured.session_name.clone(),
        seconds: Some(configured.duration.as_secs()),
        external_id: configured.external_id.clone(),
        ..Role::default()
    }
}

#[cfg(test)]
mod tests;
