//! The simulator's own endpoints: faults, the truth, the log of calls, the world's clock.

use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Operation, Product, Reply, Simulator, parameters};

/// Body of `GET /`.
fn index() -> String {
    let [ehpc, swas, sts] = [Product::Ehpc, Product::Swas, Product::Sts].map(actions);
    let example = Operation::ListTasks.action();
    format!(
        "\
A pretend Alibaba Cloud: E-HPC 2018-04-12, SWAS-OPEN 2020-06-01 and STS 2015-04-01.

The API: RPC style, signatures V1 and V3, on this address whatever the region
  E-HPC, GET          {ehpc}
  SWAS, GET or POST   {swas}
  STS, GET or POST    {sts}

To log in with
  the access key      testid, testsecret
  the role            acs:ram::1234567890123456:role/exporter
  the OIDC token      testtoken, of acs:ram::1234567890123456:oidc-provider/ack-rrsa-c0001
  GET /credentials    a credentials URI
  /latest/...         the metadata server of ECS, versions 1 and 2, with the RAM role exporter

Behind the scenes
  GET     /_sim/world         the truth now; ?at=2024-05-06T07:08:09Z: at that time
  GET     /_sim/calls         the log of calls and their totals
  DELETE  /_sim/calls         forget them
  GET     /_sim/faults        the faults there are
  POST    /_sim/faults        add some: [{{\"match\": {{\"action\": \"{example}\"}}, \"fault\": {{\"kind\": \"reset\"}}, \"times\": 1}}]
                              a limit: {{\"kind\": \"quota\", \"per_minute\": 30}}; who else calls:
                              {{\"kind\": \"other_calls\", \"per_minute\": 500, \"at_once\": false}}
  DELETE  /_sim/faults        take them away
  GET     /_sim/credentials   the temporary credentials handed out so far, without their secrets
  DELETE  /_sim/credentials   make them worthless, as if revoked
  GET     /_sim/time          the world's clock
  POST    /_sim/time          {{\"frozen\": true}} stops the world, false lets it go on
"
    )
}

/// Names of a product's operations, separated by spaces.
fn actions(product: Product) -> String {
    let of_product = Operation::ALL.iter().filter(|operation| operation.product() == product);
    of_product.map(|operation| operation.action()).collect::<Vec<_>>().join(" ")
}

/// The body of `POST /_sim/time`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeOrder {
    frozen: bool,
}

impl Simulator {
    /// Answers a request that arrives at `now`.
    pub fn handle<B: AsRef<[u8]>>(&mut self, request: &Request<B>, now: Timestamp) -> Reply {
        match is_control(request) {
            true => Reply::whole(handle(self, request, now)),
            false => self.serve_cloud(request, now),
        }
    }
}

/// Whether a request is for the simulator itself. Requests for the cloud name their operation in
/// the query, in a form or, with ACS3 signatures, in headers.
fn is_control<B>(request: &Request<B>) -> bool {
    let uri = request.uri();
    let says_nothing = uri.query().is_none() && !request.headers().contains_key(AUTHORIZATION);
    uri.path().starts_with("/_sim/")
        || (uri.path() == "/" && says_nothing && request.method() == Method::GET)
}

/// Answers a control request.
fn handle<B: AsRef<[u8]>>(
    simulator: &mut Simulator,
    request: &Request<B>,
    now: Timestamp,
) -> Response<Vec<u8>> {
    let method = request.method().as_str();
    match (request.uri().path(), method) {
        ("/", _) => respond(StatusCode::OK, "text/plain; charset=utf-8", index()),
        ("/_sim/world", "GET") => world(simulator, request, now),
        ("/_sim/calls", "GET") => json_response(StatusCode::OK, &simulator.log.to_json()),
        ("/_sim/calls", "DELETE") => {
            simulator.log = super::log::CallLog::default();
            json_response(StatusCode::OK, &simulator.log.to_json())
        }
        ("/_sim/faults", "GET") => json_response(StatusCode::OK, &simulator.faults.to_json()),
        ("/_sim/faults", "POST") => add_faults(simulator, request),
        ("/_sim/faults", "DELETE") => {
            simulator.clear_faults();
            json_response(StatusCode::OK, &simulator.faults.to_json())
        }
        ("/_sim/credentials", "GET") => json_response(StatusCode::OK, &simulator.issued.to_json()),
        ("/_sim/credentials", "DELETE") => {
            simulator.revoke_credentials();
            json_response(StatusCode::OK, &simulator.issued.to_json())
        }
        ("/_sim/time", "GET") => time(simulator, now),
        ("/_sim/time", "POST") => set_time(simulator, request, now),
        ("/_sim/world", _) => method_not_allowed("GET"),
        ("/_sim/calls" | "/_sim/credentials", _) => method_not_allowed("GET, DELETE"),
        ("/_sim/faults", _) => method_not_allowed("GET, POST, DELETE"),
        ("/_sim/time", _) => method_not_allowed("GET, POST"),
        _ => {
            problem(StatusCode::NOT_FOUND, "there is no such address; GET / lists those there are")
        }
    }
}

fn world<B: AsRef<[u8]>>(
    simulator: &Simulator,
    request: &Request<B>,
    now: Timestamp,
) -> Response<Vec<u8>> {
    let parameters = parameters::read(request);
    let Some(at) = parameters.get("at") else {
        return json_response(StatusCode::OK, &simulator.truth(now));
    };
    match at.parse::<Timestamp>() {
        Ok(time) => json_response(StatusCode::OK, &simulator.truth_at(time)),
        Err(error) => problem(StatusCode::BAD_REQUEST, &format!("at is no RFC 3339 time: {error}")),
    }
}

fn add_faults<B: AsRef<[u8]>>(
    simulator: &mut Simulator,
    request: &Request<B>,
) -> Response<Vec<u8>> {
    match simulator.faults.add(request.body().as_ref()) {
        Ok(()) => json_response(StatusCode::OK, &simulator.faults.to_json()),
        Err(reason) => problem(StatusCode::BAD_REQUEST, &reason),
    }
}

fn time(simulator: &Simulator, now: Timestamp) -> Response<Vec<u8>> {
    let body = json!({
        "frozen": simulator.frozen.is_some(),
        "now": simulator.frozen.unwrap_or(now).to_string(),
        "started": simulator.started.to_string(),
    });
    json_response(StatusCode::OK, &body)
}

fn set_time<B: AsRef<[u8]>>(
    simulator: &mut Simulator,
    request: &Request<B>,
    now: Timestamp,
) -> Response<Vec<u8>> {
    match serde_json::from_slice::<TimeOrder>(request.body().as_ref()) {
        // A world that is already frozen keeps its time.
        Ok(TimeOrder { frozen: true }) => simulator.freeze(simulator.frozen.unwrap_or(now)),
        Ok(TimeOrder { frozen: false }) => simulator.thaw(),
        Err(error) => {
            return problem(
                StatusCode::BAD_REQUEST,
                &format!("not {{\"frozen\": true|false}}: {error}"),
            );
        }
    }
    time(simulator, now)
}

fn method_not_allowed(allowed: &'static str) -> Response<Vec<u8>> {
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &format!("allowed here: {allowed}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn problem(status: StatusCode, reason: &str) -> Response<Vec<u8>> {
    json_response(status, &json!({"error": reason}))
}

fn json_response(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    respond(status, "application/json", format!("{body:#}\n"))
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Vec<u8>> {
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
