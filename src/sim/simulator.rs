//! The simulator itself: a request and the time in, a reply out.

use std::net::IpAddr;

use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::envelope::Envelope;
use super::exchange::{Exchange, Outcome};
use super::face::{self, View};
use super::failure::Failure;
use super::fault::{Effects, Faults, Harm, Instead};
use super::gate::{self, Nonces};
use super::issued::Issued;
use super::log::{self, Call, CallLog};
use super::parameters::Parameters;
use super::quota::QuotaWindows;
use super::truth::{self, Moment};
use super::world::noise::Noise;
use super::world::{World, ids};
use super::{Delivery, Operation, Product, Reply, Settings, Transfer, machine, sts};

/// A simulated Alibaba Cloud.
#[derive(Debug)]
pub struct Simulator {
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) started: Timestamp,
    pub(crate) frozen: Option<Timestamp>,
    pub(crate) faults: Faults,
    pub(crate) log: CallLog,
    pub(crate) issued: Issued,
    nonces: Nonces,
    quotas: QuotaWindows,
    requests: u64,
}

impl Simulator {
    /// A living world of the size in the settings, with a past as if it had always existed.
    /// `started` is its time 0.
    pub fn new(settings: Settings, started: Timestamp) -> Self {
        let world = World::generated(&settings);
        Self::with_world(settings, world, started)
    }

    /// A simulator of the given world.
    pub fn with_world(settings: Settings, world: World, started: Timestamp) -> Self {
        Self {
            settings,
            world,
            started,
            frozen: None,
            faults: Faults::default(),
            log: CallLog::default(),
            issued: Issued::default(),
            nonces: Nonces::default(),
            quotas: QuotaWindows::default(),
            requests: 0,
        }
    }

    /// The world, for a script to change.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// The settings. Those for the size of a generated world no longer have any effect.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Freezes the world as of `now`; requests are still checked against the real time.
    pub fn freeze(&mut self, now: Timestamp) {
        self.frozen = Some(now);
    }

    /// Unfreezes the world, which jumps to the present.
    pub fn thaw(&mut self) {
        self.frozen = None;
    }

    /// Adds faults from a JSON list, as `POST /_sim/faults` does.
    ///
    /// # Errors
    /// If the list is not valid; the text says why, and no fault is added.
    pub fn add_faults(&mut self, json: &str) -> Result<(), String> {
        self.faults.add(json.as_bytes())
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Invalidates all credentials issued so far.
    pub fn revoke_credentials(&mut self) {
        self.issued.revoke();
    }

    /// The newest ten thousand calls of the API, oldest first.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &Call> + ExactSizeIterator {
        self.log.calls.iter()
    }

    /// The truth about the world at a time, or as it was frozen.
    pub fn truth(&self, now: Timestamp) -> Value {
        self.truth_at(self.frozen.unwrap_or(now))
    }

    /// The truth about the world at any time, frozen or not.
    pub(crate) fn truth_at(&self, time: Timestamp) -> Value {
        truth::truth(
            &self.world,
            Moment { started: self.started, at: time.duration_since(self.started) },
        )
    }

    /// Answers a request for the cloud.
    pub(crate) fn serve_cloud<B: AsRef<[u8]>>(
        &mut self,
        request: &Request<B>,
        now: Timestamp,
    ) -> Reply {
        self.requests += 1;
        let envelope = Envelope::read(request);
        if let Some(operation) = machine::operation(request) {
            return self.serve_machine(request, operation, envelope, now);
        }
        // RPC style has one path for all operations.
        let named = if request.uri().path() == "/" {
            envelope.operation()
        } else {
            Err(Failure::no_such_api())
        };
        let region = self.region(&envelope.parameters);
        let exchange = Exchange {
            source: source(request),
            operation: named.as_ref().ok().copied(),
            region,
            request_id: self.request_id(),
            envelope,
            now,
        };
        let effects = self.strike(&exchange);
        let outcome = named.and_then(|operation| self.perform(&exchange, operation, &effects));
        self.reply(&exchange, &effects, outcome.unwrap_or_else(Outcome::Failure))
    }

    /// Answers for the caller's own machine.
    fn serve_machine<B>(
        &mut self,
        request: &Request<B>,
        operation: Operation,
        envelope: Envelope,
        now: Timestamp,
    ) -> Reply {
        let request_id = self.request_id();
        let exchange = Exchange {
            source: source(request),
            operation: Some(operation),
            region: String::new(),
            request_id,
            envelope,
            now,
        };
        let effects = self.strike(&exchange);
        let outcome = match (&effects.instead, effects.outage) {
            (_, true) => Ok(Outcome::Html(503)),
            (Some(Instead::Failure(failure)), _) => Err(failure.clone()),
            (Some(Instead::Html(status)), _) => Ok(Outcome::Html(*status)),
            (Some(Instead::Gateway(gateway)), _) => Ok(Outcome::Gateway(gateway.clone())),
            (None, false) => {
                machine::answer(operation, request, &self.settings, &mut self.issued, now)
            }
        };
        self.reply(&exchange, &effects, outcome.unwrap_or_else(Outcome::Failure))
    }

    fn strike(&mut self, exchange: &Exchange) -> Effects {
        let Some(operation) = exchange.operation else { return Effects::default() };
        let at = self.since_start(exchange.now);
        self.faults.strike(operation, &exchange.region, &exchange.envelope.parameters, at)
    }

    /// The gateway authenticates the caller before faults apply, so a retry with an old signature
    /// is detected even then.
    fn perform(
        &mut self,
        exchange: &Exchange,
        operation: Operation,
        effects: &Effects,
    ) -> Result<Outcome, Failure> {
        if effects.outage {
            return Ok(Outcome::Html(503));
        }
        let known = (&self.settings, &self.issued);
        gate::check(&exchange.envelope, operation, known, &mut self.nonces, exchange.now)?;
        match &effects.instead {
            Some(Instead::Failure(failure)) => return Err(failure.clone()),
            Some(Instead::Html(status)) => return Ok(Outcome::Html(*status)),
            Some(Instead::Gateway(gateway)) => return Ok(Outcome::Gateway(gateway.clone())),
            None => {}
        }
        self.check_permission(operation)?;
        self.quotas.admit(
            &self.settings.quotas,
            &effects.strain,
            (operation, &exchange.region),
            exchange.now,
        )?;
        self.answer(exchange, operation, effects).map(Outcome::Answer)
    }

    fn check_permission(&self, operation: Operation) -> Result<(), Failure> {
        // Listing the regions of SWAS, asking for the caller's identity and presenting a token need
        // no permission.
        let is_free =
            matches!(operation, Operation::SwasListRegions | Operation::GetCallerIdentity)
                || operation.is_unsigned();
        let permitted = self.settings.permitted.as_ref();
        if is_free || permitted.is_none_or(|actions| actions.contains(&operation.ram_action())) {
            return Ok(());
        }
        Err(Failure::forbidden(operation))
    }

    fn answer(
        &mut self,
        exchange: &Exchange,
        operation: Operation,
        effects: &Effects,
    ) -> Result<Value, Failure> {
        let mut body = match operation.product() {
            Product::Sts => {
                let parameters = &exchange.envelope.parameters;
                sts::answer(operation, parameters, &self.settings, &mut self.issued, exchange.now)?
            }
            _ => self.look(exchange, operation, effects)?,
        };
        for distortion in &effects.distortions {
            distortion.apply(&mut body);
        }
        body["RequestId"] = exchange.request_id.as_str().into();
        Ok(body)
    }

    /// What an operation shows of the world.
    fn look(
        &self,
        exchange: &Exchange,
        operation: Operation,
        effects: &Effects,
    ) -> Result<Value, Failure> {
        let mut parameters = exchange.envelope.parameters.clone();
        if effects.only_first_page {
            parameters.insert("PageNumber".to_owned(), "1".to_owned());
        }
        if let Some(paging) = &effects.paging {
            paging.ask(&mut parameters);
        }
        let view = View {
            world: &self.world,
            started: self.started,
            at: self.since_start(self.frozen.unwrap_or(exchange.now)),
            order: self.settings.order,
            parameters: &parameters,
            late: effects.late,
        };
        let mut body = face::answer(operation, &view)?;
        if let Some(paging) = &effects.paging {
            paging.answer(&mut body);
        }
        Ok(body)
    }

    fn reply(&mut self, exchange: &Exchange, effects: &Effects, outcome: Outcome) -> Reply {
        let word = outcome_word(effects, &outcome);
        let response = exchange.response(outcome);
        let response = match effects.coat {
            Some(coat) => coat.put_on(response),
            None => response,
        };
        let transfer = transfer(effects, response.body().len());
        self.record(
            exchange,
            word,
            if transfer == Transfer::Reset { 0 } else { response.status().as_u16() },
        );
        Reply {
            response,
            delivery: Delivery { delay: self.settings.latency + effects.delay, transfer },
        }
    }

    fn record(&mut self, exchange: &Exchange, outcome: String, status: u16) {
        let operation = exchange.operation;
        self.log.record(Call {
            time: exchange.now,
            source: exchange.source,
            signed: exchange.envelope.timestamp().ok().map(str::to_owned),
            product: operation.map_or("", |operation| operation.product().code()).to_owned(),
            action: operation.map_or("", Operation::action).to_owned(),
            region: exchange.region.clone(),
            parameters: log::own_parameters(&exchange.envelope.parameters),
            outcome,
            status,
        });
    }

    /// E-HPC has no RegionId: the region is that of the requested cluster.
    fn region(&self, parameters: &Parameters) -> String {
        let of_cluster = parameters.get("ClusterId").and_then(|id| self.world.cluster(id));
        let region =
            of_cluster.map(|cluster| &cluster.spec.region).or_else(|| parameters.get("RegionId"));
        region.cloned().unwrap_or_default()
    }

    fn since_start(&self, time: Timestamp) -> SignedDuration {
        time.duration_since(self.started)
    }

    fn request_id(&self) -> String {
        let noise = Noise::new(self.settings.seed).with(3).with(self.requests);
        ids::uuid(noise.bits(), noise.with(1).bits())
    }
}

/// The address of the client, if the server has noted one.
fn source<B>(request: &Request<B>) -> Option<IpAddr> {
    request.extensions().get().copied()
}

fn outcome_word(effects: &Effects, outcome: &Outcome) -> String {
    match (effects.harm, outcome) {
        (Some(Harm::Reset), _) => "fault:reset".to_owned(),
        (Some(Harm::Truncated(_)), _) => "fault:truncated".to_owned(),
        (_, Outcome::Html(_)) => "fault:html".to_owned(),
        (_, Outcome::Gateway(_)) => "fault:gateway".to_owned(),
        (_, Outcome::Failure(failure)) => failure.code.clone().into_owned(),
        (_, Outcome::Answer(_) | Outcome::Bare(_) | Outcome::Text(_)) => "ok".to_owned(),
    }
}

fn transfer(effects: &Effects, length: usize) -> Transfer {
    match effects.harm {
        None => Transfer::Whole,
        Some(Harm::Reset) => Transfer::Reset,
        Some(Harm::Truncated(keep)) => {
            Transfer::Truncated(keep.unwrap_or(length / 2).min(length.saturating_sub(1)))
        }
        Some(Harm::Drip(bytes, pause)) => Transfer::Drip(bytes, pause),
    }
}
