//! Issued credentials: of which role, and until when.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::Settings;
use super::world::noise::Noise;

/// Maximum number of credentials kept before expired ones are dropped.
const KEPT: usize = 10_000;

/// Temporary credentials and tokens of the metadata server.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    given: BTreeMap<String, Given>,
    metadata_tokens: BTreeMap<String, Timestamp>,
    count: u64,
}

/// Temporary credentials.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: String,
    /// ARN of the role.
    pub(crate) role: String,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) revoked: bool,
}

/// A key that signs requests, as the gateway knows it.
pub(crate) struct Key {
    pub(crate) secret: String,
    /// The security token the request must carry; if `None`, it must not carry one.
    pub(crate) token: Option<String>,
    pub(crate) has_ended: bool,
}

impl Issued {
    /// The key with an id: a permanent one from the settings, or an issued one.
    pub(crate) fn key(&self, settings: &Settings, id: &str, now: Timestamp) -> Option<Key> {
        if let Some(secret) = settings.access_keys.get(id) {
            let secret = secret.clone();
            let token = settings.security_token.clone();
            return Some(Key { secret, token, has_ended: false });
        }
        let given = self.given.get(id)?;
        let secret = given.secret.clone();
        let token = Some(given.token.clone());
        Some(Key { secret, token, has_ended: given.revoked || now >= given.until })
    }

    /// Issues new credentials for a role.
    pub(crate) fn give(
        &mut self,
        seed: u64,
        role: &str,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Given {
        if self.given.len() >= KEPT {
            self.given.retain(|_, given| now < given.until);
        }
        let given = Given {
            id: format!("STS.{}", self.word(seed)),
            secret: self.word(seed),
            // Real tokens contain characters that must be percent-encoded.
            token: format!("CAIS{}+/=", self.word(seed)),
            role: role.to_owned(),
            from: now,
            until: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
            revoked: false,
        };
        self.given.insert(given.id.clone(), given.clone());
        given
    }

    /// The newest credentials of a role if more than a quarter of their lifetime is left, as the
    /// metadata server repeats them; else new ones.
    pub(crate) fn current(
        &mut self,
        seed: u64,
        role: &str,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Given {
        let is_fresh = |given: &&Given| {
            given.until.duration_since(now) > given.until.duration_since(given.from) / 4
        };
        let of_role = self.given.values().filter(|given| given.role == role && !given.revoked);
        match of_role.filter(is_fresh).max_by_key(|given| given.until).cloned() {
            Some(given) => given,
            None => self.give(seed, role, now, lifetime),
        }
    }

    /// Invalidates everything issued so far.
    pub(crate) fn revoke(&mut self) {
        for given in self.given.values_mut() {
            given.revoked = true;
        }
    }

    /// A token of the metadata server.
    pub(crate) fn metadata_token(
        &mut self,
        seed: u64,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> String {
        self.metadata_tokens.retain(|_, until| now < *until);
        let token = self.word(seed);
        self.metadata_tokens
            .insert(token.clone(), now.saturating_add(lifetime).unwrap_or(Timestamp::MAX));
        token
    }

    /// Whether such a token is valid.
    pub(crate) fn is_metadata_token(&self, token: &str, now: Timestamp) -> bool {
        self.metadata_tokens.get(token).is_some_and(|until| now < *until)
    }

    /// Everything issued, without secrets.
    pub(crate) fn to_json(&self) -> Value {
        let entry = |given: &Given| {
            json!({
                "access_key_id": given.id,
                "role": given.role,
                "from": given.from.to_string(),
                "until": given.until.to_string(),
                "revoked": given.revoked,
            })
        };
        self.given.values().map(entry).collect()
    }

    fn word(&mut self, seed: u64) -> String {
        self.count += 1;
        let noise = Noise::new(seed).with(4).with(self.count);
        format!("{:016x}{:016x}", noise.bits(), noise.with(1).bits())
    }
}

impl Given {
    /// The fields that STS, the metadata server and a credentials URI have in common.
    pub(crate) fn fields(&self) -> Value {
        json!({
            "AccessKeyId": self.id,
            "AccessKeySecret": self.secret,
            "SecurityToken": self.token,
            "Expiration": self.until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        })
    }
}
