//! A caller that signs its requests, with nothing but the vendor's rules in common with the
//! simulator.

use std::collections::BTreeMap;

use aliyun_task_exporter::sim::{
    ClusterSpec, CommandSpec, InvocationEnd, InvocationSpec, NodeSpec, Operation, Reply,
    ServerSpec, Settings, Simulator, Transfer, World,
};
use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// When the worlds of these tests start.
pub(crate) fn start() -> Timestamp {
    "2024-05-06T07:00:30Z".parse().unwrap()
}

/// A moment of such a world.
pub(crate) fn at(seconds: f64) -> Timestamp {
    start() + SignedDuration::from_secs_f64(seconds)
}

/// A world with a command on `nodes` of a cluster, and an invocation on a server that fails after
/// ten seconds.
pub(crate) fn scripted(nodes: Vec<NodeSpec>) -> World {
    let mut world = World::empty();
    world.add_cluster(ClusterSpec { id: "cluster".to_owned(), ..ClusterSpec::default() });
    world.add_server(ServerSpec { id: "server".to_owned(), ..ServerSpec::default() });
    let command = CommandSpec { id: "command".to_owned(), nodes, ..CommandSpec::default() };
    world.add_command("cluster", command).unwrap();
    let invocation = InvocationSpec {
        id: "run".to_owned(),
        end: InvocationEnd::Failed,
        exit_code: 7,
        ..InvocationSpec::default()
    };
    world.add_invocation("server", invocation).unwrap();
    world
}

/// A living world of the default size.
pub(crate) fn living() -> Simulator {
    Simulator::new(Settings::default(), start())
}

/// All parameters of a request, ready to be changed before they are signed.
pub(crate) struct Draft {
    pub(crate) method: &'static str,
    pub(crate) secret: &'static str,
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Draft {
    /// A correct request at a time. Its nonce is made of the time and the parameters, so two equal
    /// requests are a replay.
    pub(crate) fn new(operation: Operation, own: &[(&str, &str)], now: Timestamp) -> Self {
        let nonce = format!("{operation:?}{own:?}{now}");
        let common = [
            ("Action", operation.action()),
            ("Version", operation.product().version()),
            ("Format", "JSON"),
            ("AccessKeyId", "testid"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", &nonce),
            ("Timestamp", &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ];
        let parameters =
            common.iter().chain(own).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { method: "GET", secret: "testsecret", parameters: parameters.collect() }
    }

    /// The same with one parameter set, or removed if the value is empty.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.parameters.remove(name);
        if !value.is_empty() {
            self.parameters.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    /// The signed query.
    pub(crate) fn query(&self) -> String {
        let pairs: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let text = format!("{}&%2F&{}", self.method, encode(&pairs.join("&")));
        let mut mac =
            Hmac::<sha1::Sha1>::new_from_slice(format!("{}&", self.secret).as_bytes()).unwrap();
        mac.update(text.as_bytes());
        let signature =
            base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        format!("{}&Signature={}", pairs.join("&"), encode(&signature))
    }

    /// A request with everything in the query.
    pub(crate) fn request(&self) -> Request<Vec<u8>> {
        Request::builder()
            .method(self.method)
            .uri(format!("/?{}", self.query()))
            .body(Vec::new())
            .unwrap()
    }

    /// A request with everything in a form.
    pub(crate) fn form(&self) -> Request<Vec<u8>> {
        Request::post("/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(self.query().into_bytes())
            .unwrap()
    }
}

/// A request signed with ACS3-HMAC-SHA256, made of a draft whose common parameters become headers.
pub(crate) struct Acs3 {
    draft: Draft,
    /// The operation's own parameters, in the query or in the body.
    in_form: bool,
    headers: BTreeMap<String, String>,
}

impl Acs3 {
    const HEADERS: [(&str, &str); 6] = [
        ("Action", "x-acs-action"),
        ("Version", "x-acs-version"),
        ("SignatureNonce", "x-acs-signature-nonce"),
        ("Timestamp", "x-acs-date"),
        ("SecurityToken", "x-acs-security-token"),
        ("Format", "accept"),
    ];

    pub(crate) fn new(draft: Draft, in_form: bool) -> Self {
        let moved = Self::HEADERS.iter().filter_map(|(name, header)| {
            let value = draft.parameters.get(*name)?;
            Some(((*header).to_owned(), value.replace("JSON", "application/json")))
        });
        let mut headers: BTreeMap<String, String> = moved.collect();
        headers.insert("host".to_owned(), "sim:1".to_owned());
        if in_form {
            headers
                .insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        }
        Self { draft, in_form, headers }
    }

    /// The request, signed with HMAC-SHA256.
    pub(crate) fn request(&self) -> Request<Vec<u8>> {
        let common =
            |name: &str| name.starts_with("Signature") || name == "AccessKeyId" || self.moved(name);
        let own = self.draft.parameters.iter().filter(|(name, _)| !common(name));
        let own: Vec<String> =
            own.map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let (query, body) = if self.in_form {
            (String::new(), own.join("&"))
        } else {
            (own.join("&"), String::new())
        };
        let mut headers = self.headers.clone();
        headers.insert("x-acs-content-sha256".to_owned(), sha256(&body));
        let names: Vec<&str> = headers.keys().map(String::as_str).collect();
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let signed = names.join(";");
        let canonical =
            format!("{}\n/\n{query}\n{lines}\n{signed}\n{}", self.draft.method, sha256(&body));
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(self.draft.secret.as_bytes()).unwrap();
        mac.update(format!("ACS3-HMAC-SHA256\n{}", sha256(&canonical)).as_bytes());
        let signature = hex(&mac.finalize().into_bytes());
        let key = &self.draft.parameters["AccessKeyId"];
        let authorization = format!(
            "ACS3-HMAC-SHA256 Credential={key},SignedHeaders={signed},Signature={signature}"
        );
        let mut request = Request::builder().method(self.draft.method).uri(format!("/?{query}"));
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        request.header("authorization", authorization).body(body.into_bytes()).unwrap()
    }

    fn moved(&self, name: &str) -> bool {
        Self::HEADERS.iter().any(|(moved, _)| *moved == name)
    }
}

fn sha256(text: &str) -> String {
    hex(&<sha2::Sha256 as sha2::Digest>::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encode(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Makes a correct request; returns status and body of the answer.
pub(crate) fn ask(
    simulator: &mut Simulator,
    operation: Operation,
    own: &[(&str, &str)],
    now: Timestamp,
) -> (u16, Value) {
    read(simulator.handle(&Draft::new(operation, own, now).request(), now))
}

/// Makes a correct request that must succeed.
pub(crate) fn get(
    simulator: &mut Simulator,
    operation: Operation,
    own: &[(&str, &str)],
    now: Timestamp,
) -> Value {
    let (status, body) = ask(simulator, operation, own, now);
    assert_eq!(status, 200, "{body}");
    body
}

/// Status and error code of an answer.
pub(crate) fn code(answer: (u16, Value)) -> (u16, String) {
    (answer.0, answer.1["Code"].as_str().unwrap_or("ok").to_owned())
}

/// Status and JSON body of a reply that arrives whole.
pub(crate) fn read(reply: Reply) -> (u16, Value) {
    assert_eq!(reply.delivery.transfer, Transfer::Whole);
    (reply.response.status().as_u16(), serde_json::from_slice(reply.response.body()).unwrap())
}

/// The items of a JSON list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The strings in one field of the items of a list.
pub(crate) fn column<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    list(value).iter().map(|item| item[field].as_str().unwrap()).collect()
}

/// The first cluster's id in a truth.
pub(crate) fn first_cluster(simulator: &Simulator, now: Timestamp) -> String {
    simulator.truth(now)["clusters"][0]["id"].as_str().unwrap().to_owned()
}

/// The first server's id in a truth.
pub(crate) fn first_server(simulator: &Simulator, now: Timestamp) -> String {
    simulator.truth(now)["servers"][0]["id"].as_str().unwrap().to_owned()
}
