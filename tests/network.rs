//! Connections to the cloud, as the real program makes them: trust, proxies, reuse.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::support::exporter::exchange;
use crate::support::folder::Folder;
use crate::support::page::{Page, parse};
use aliyun_task_exporter::sim::{self, Settings, Simulator};
use base64::Engine;
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// Timeout for a condition.
const PATIENCE: Duration = Duration::from_secs(60);

/// Every command that reads the configuration and would call the cloud.
const COMMANDS: [&[&str]; 5] = [
    &["serve", "--web.listen-address", "127.0.0.1:0"],
    &["check"],
    &["check", "--estimate"],
    &["check", "--estimate", "--live"],
    &["doctor"],
];

/// A name that no resolver knows, so it is reachable only through a proxy.
const FAR_AWAY: &str = "cloud.test";

/// The proxy's password, which is hard to write in a URL.
const PASSWORD: &str = "p@ss:w/rd %41";

/// A simulated cloud. Dropping it also stops the servers in front of it.
struct Cloud {
    runtime: Runtime,
    sim: Arc<Mutex<Simulator>>,
    address: SocketAddr,
}

/// A listener that counts its connections.
struct Front {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Front {
    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Cloud {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let settings = Settings { clusters: 2, servers: 3, ..Settings::default() };
        let sim = Arc::new(Mutex::new(Simulator::new(settings, Timestamp::now())));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(sim::serve(listener, Arc::clone(&sim), std::future::pending()));
        Self { runtime, sim, address }
    }

    /// Passes every connection to `answer`.
    fn front<F>(&self, answer: impl Fn(TcpStream) -> F + Send + 'static) -> Front
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        self.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(answer(stream));
            }
        });
        Front { address, accepted }
    }

    /// Counts connections and relays them.
    fn plain(&self) -> Front {
        let cloud = self.address;
        self.front(move |stream| relay(stream, cloud))
    }

    /// TLS with a certificate of an authority, for `localhost` and the far-away name.
    fn tls(&self, authority: &CertifiedIssuer<'static, KeyPair>) -> Front {
        let cloud = self.address;
        let acceptor = acceptor(authority);
        self.front(move |stream| {
            let acceptor = acceptor.clone();
            async move { relay(acceptor.accept(stream).await?, cloud).await }
        })
    }

    /// A proxy that requires a login and connects to `upstream`, whatever the request says.
    fn proxy(&self, upstream: SocketAddr) -> Front {
        self.front(move |stream| proxy(stream, upstream))
    }

    fn calls(&self) -> usize {
        self.sim.lock().unwrap().calls().len()
    }

    /// A configuration that polls this world, with these lines for the account.
    fn config(&self, account: &str) -> String {
        let truth = self.sim.lock().unwrap().truth(Timestamp::now());
        let ids = |key: &str| {
            let entries = truth[key].as_array().unwrap().iter();
            let entries = entries
                .map(|entry| format!("{{id: {}, region: {}}}", entry["id"], entry["region"]));
            entries.collect::<Vec<_>>().join(", ")
        };
        format!(
            "poll: {{interval: 60ms, active_interval: 40ms, idle_interval: 100ms, concurrency: 3, timeout: 5s}}\n\
             ehpc: {{clusters: [{}]}}\nswas: {{servers: [{}]}}\naccounts:\n  - name: a\n    quotas: {{EHPC: 60000, SWAS: 60000}}\n    \
             credentials: {{provider: access_key, access_key_id: testid, access_key_secret: testsecret}}\n{account}",
            ids("clusters"),
            ids("servers")
        )
    }
}

async fn relay(
    mut near: impl AsyncRead + AsyncWrite + Unpin,
    far: SocketAddr,
) -> std::io::Result<()> {
    let mut far = TcpStream::connect(far).await?;
    copy_bidirectional(&mut near, &mut far).await.map(drop)
}

/// HTTP basic authentication with the user and the password.
fn authentication() -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("exporter:{PASSWORD}"))
}

/// The head of a request.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

async fn proxy(mut stream: TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
    let head = read_head(&mut stream).await?;
    let told = head
        .lines()
        .find(|line| line.to_ascii_lowercase().starts_with("proxy-authorization: basic "));
    if told.and_then(|line| line.rsplit(' ').next()) != Some(&authentication()) {
        let page = "<html>Who are you?</html>";
        let length = page.len();
        let answer = format!(
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"office\"\r\n\
             Content-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{page}"
        );
        return stream.write_all(answer.as_bytes()).await;
    }
    let mut far = TcpStream::connect(upstream).await?;
    match head.starts_with("CONNECT ") {
        true => stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
        false => far.write_all(head.as_bytes()).await?,
    }
    copy_bidirectional(&mut stream, &mut far).await.map(drop)
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

fn acceptor(authority: &CertifiedIssuer<'static, KeyPair>) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let parameters =
        CertificateParams::new(vec!["localhost".to_owned(), FAR_AWAY.to_owned()]).unwrap();
    accepting(parameters.signed_by(&key, authority).unwrap().der().clone(), &key)
}

/// TLS with a certificate.
fn accepting(certificate: CertificateDer<'static>, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    TlsAcceptor::from(Arc::new(
        builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap(),
    ))
}

/// The real program; stopped when dropped.
struct Program {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it with a configuration file, and only `variables` in its environment.
    fn start(config: &str, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aliyun-task-exporter"))
            .args(["--config.file", config, "--web.listen-address", "127.0.0.1:0"])
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, addresses) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let all = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("address=") {
                    let _ = sender.send(rest.split(' ').next().unwrap().parse().unwrap());
                }
                all.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let address = addresses.recv_timeout(PATIENCE);
        let address =
            address.unwrap_or_else(|_| panic!("it does not listen: {}", log.lock().unwrap()));
        Self { child, address, log }
    }

    fn page(&self) -> Page {
        parse(exchange(self.address, "GET", "/metrics", &[], "").text())
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    fn wait(&self, what: &str, wanted: impl Fn(&Page) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(&self.page()) {
            assert!(Instant::now() < deadline, "still not so: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until all seven targets are up.
    fn wait_up(&self) {
        self.wait("all is up", |page| page.sum("aliyun_task_exporter_target_up", &[]) == 7.0);
    }

    /// Waits until all seven targets fail for a reason; returns the status page's explanation.
    fn wait_failing(&self, reason: &str) -> String {
        let failing = |page: &Page| {
            page.sum("aliyun_task_exporter_target_failing", &[("reason", reason)]) == 7.0
        };
        self.wait(reason, failing);
        exchange(self.address, "GET", "/api/v1/status", &[], "").text().to_owned()
    }

    /// Everything that it shows.
    fn all(&self) -> String {
        let pages = ["/", "/metrics", "/config", "/api/v1/status"];
        let pages: String = pages
            .iter()
            .map(|path| exchange(self.address, "GET", path, &[], "").text().to_owned())
            .collect();
        pages + &self.log()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn endpoints(url: &str) -> String {
    format!("    endpoints: {{ehpc: \"{url}\", swas: \"{url}\"}}\n")
}

#[test]
fn polling_uses_its_connections_again() {
    for signature in ["v1", "v3"] {
        let cloud = Cloud::start();
        let folder = Folder::new();
        let front = cloud.plain();
        let account = endpoints(&format!("http://{}", front.address))
            + &format!("    signature: {signature}\n");
        let program = Program::start(&folder.write("config.yaml", &cloud.config(&account)), &[]);
        program.wait_up();
        program.wait("many calls", |_| cloud.calls() > 400);
        let calls = cloud.calls();
        let connections = front.accepted();
        // There may be a few more than concurrent calls: while one is being opened, another may
        // become free.
        assert!(
            connections * 20 < calls,
            "{connections} connections for {calls} calls, three at once"
        );
    }
}

#[test]
fn an_authority_of_ones_own_is_trusted_only_if_the_account_says_so() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let authority = authority();
    let front = cloud.tls(&authority);
    let account = endpoints(&format!("https://localhost:{}", front.address.port()));
    let ca_file = folder.write("ca.pem", &authority.pem());

    // The system's certificates do not matter, whether right or missing.
    let config = folder.write("without.yaml", &cloud.config(&account));
    let told = Program::start(&config, &[("SSL_CERT_FILE", &ca_file)]).wait_failing("tls");
    assert!(
        told.contains("invalid peer certificate: UnknownIssuer")
            && told.contains("accounts[].ca_file"),
        "{told}"
    );
    assert_eq!(cloud.calls(), 0, "nothing was sent");

    let config =
        folder.write("with.yaml", &cloud.config(&format!("{account}    ca_file: {ca_file}\n")));
    let nowhere = [("SSL_CERT_FILE", "/nonexistent/file"), ("SSL_CERT_DIR", "/nonexistent")];
    Program::start(&config, &nowhere).wait_up();
}

#[test]
fn why_no_connection_comes_about_is_told_apart() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // Closes each connection at once, as some firewalls do for certain names.
    let rude = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cut_off = rude.local_addr().unwrap();
    std::thread::spawn(move || rude.incoming().for_each(drop));
    let insecure = "    insecure_http: true\n";
    for (name, account, reason, advice) in [
        ("dns", endpoints("http://cloud.invalid") + insecure, "dns", "DNS server"),
        ("refused", endpoints(&format!("http://{nobody}")), "connect", "firewall"),
        ("plain", endpoints(&format!("https://{}", cloud.address)), "tls", "speaks TLS"),
        ("cut", endpoints(&format!("https://{cut_off}")), "tls", "cuts it off"),
        (
            "gone",
            endpoints(&format!("https://{FAR_AWAY}"))
                + &format!("    proxy: {{url: \"http://{nobody}\"}}\n"),
            "proxy",
            "the proxy",
        ),
        (
            "mute",
            endpoints(&format!("https://{FAR_AWAY}"))
                + &format!("    proxy: {{url: \"http://{cut_off}\"}}\n"),
            "proxy",
            "the proxy",
        ),
    ] {
        let program = Program::start(&folder.write(name, &cloud.config(&account)), &[]);
        let told = program.wait_failing(reason);
        assert!(told.contains(advice), "{name}: {told}");
    }
    assert_eq!(cloud.calls(), 0);
}

#[test]
fn a_ca_file_that_cannot_be_used_stops_the_start_and_check_and_doctor_say_so_too() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let empty = folder.write("empty.pem", "");
    for (file, trouble) in
        [("/nonexistent/ca.pem", "No such file or directory"), (&*empty, "it holds no certificate")]
    {
        let config = folder.write("config.yaml", &cloud.config(&format!("    ca_file: {file}\n")));
        for arguments in COMMANDS {
            let mut program = Command::new(env!("CARGO_BIN_EXE_aliyun-task-exporter"));
            let output = program
                .args(arguments)
                .args(["--config.file", &config])
                .env_clear()
                .output()
                .unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
            assert!(
                told.contains(&format!("account \"a\": ca_file {file}: {trouble}")),
                "{arguments:?}: {told}"
            );
        }
    }
    assert_eq!(cloud.calls(), 0, "nothing was asked");
}

/// An account behind a proxy: the cloud's own lines, and a file with the password.
fn beyond(folder: &Folder, authority: &CertifiedIssuer<'static, KeyPair>) -> String {
    let ca_file = folder.write("ca.pem", &authority.pem());
    folder.write("password", &format!("{PASSWORD}\n"));
    format!("{}    ca_file: {ca_file}\n", endpoints(&format!("https://{FAR_AWAY}")))
}

#[test]
fn a_proxy_of_the_account_leads_to_the_cloud_and_its_password_is_shown_nowhere() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let authority = authority();
    let tunnel = beyond(&folder, &authority);
    let plain =
        endpoints(&format!("http://{FAR_AWAY}")) + "    insecure_http: true\n    signature: v3\n";
    for (name, account, upstream) in
        [("tunnel", tunnel, cloud.tls(&authority).address), ("plain", plain, cloud.address)]
    {
        let proxy = cloud.proxy(upstream);
        let account = format!(
            "{account}    proxy: {{url: \"http://{}\", username: exporter, password: \"file:{}/password\"}}\n",
            proxy.address,
            folder.path().display()
        );
        let config = folder.write(name, &cloud.config(&account));
        // The account's own proxy takes precedence over that of the environment.
        let program = Program::start(&config, &[("HTTPS_PROXY", "http://127.0.0.1:9")]);
        program.wait_up();
        assert!(proxy.accepted() > 0, "{name}");
        let all = program.all();
        for secret in [PASSWORD, &authentication(), "p%40ss"] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
    }
}

#[test]
fn a_proxy_that_wants_to_know_who_asks_says_so_and_is_not_taken_for_the_cloud() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let authority = authority();
    let proxy = cloud.proxy(cloud.address);
    let url = format!("http://{}", proxy.address);
    // A tunnel for TLS; without TLS, the proxy itself answers.
    let tunnel = beyond(&folder, &authority);
    let plain = endpoints(&format!("http://{FAR_AWAY}")) + "    insecure_http: true\n";
    for (name, account) in [("tunnel", tunnel), ("plain", plain)] {
        let account = format!(
            "{account}    proxy: {{url: \"{url}\", username: exporter, password: hunter2}}\n"
        );
        let program = Program::start(&folder.write(name, &cloud.config(&account)), &[]);
        let told = program.wait_failing("proxy");
        assert!(told.contains("accounts[].proxy.username"), "{name}: {told}");
        assert!(!program.all().contains("hunter2"), "{name}");
    }
    assert_eq!(cloud.calls(), 0);
}

#[test]
fn the_proxy_of_the_environment_is_used_in_any_spelling_but_where_it_is_not_wanted() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let authority = authority();
    let config = folder.write("config.yaml", &cloud.config(&beyond(&folder, &authority)));
    let front = cloud.tls(&authority);
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let proxy = cloud.proxy(front.address);
        let url = format!("http://exporter:p%40ss%3Aw%2Frd%20%2541@{}", proxy.address);
        let program = Program::start(&config, &[(name, &url)]);
        program.wait_up();
        assert!(proxy.accepted() > 0 && !program.all().contains("p%40ss"), "{name}");
    }
}

#[test]
fn what_the_environment_excepts_is_asked_without_the_proxy() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let authority = authority();
    let config = folder.write("config.yaml", &cloud.config(&beyond(&folder, &authority)));
    let proxy = cloud.proxy(cloud.tls(&authority).address);
    let url = format!("http://exporter:p%40ss%3Aw%2Frd%20%2541@{}", proxy.address);
    for (list, is_excepted) in [
        ("*.test", true),
        (".test", true),
        ("example.com localhost cloud.test", true),
        ("example.com , cloud.test:443", true),
        ("cloud.test:8443,loud.test,10.0.0.0/8", false),
    ] {
        let before = proxy.accepted();
        let program = Program::start(&config, &[("ALL_PROXY", &url), ("no_proxy", list)]);
        match is_excepted {
            // No resolver knows its name.
            true => drop(program.wait_failing("dns")),
            false => program.wait_up(),
        }
        assert_eq!(proxy.accepted() == before, is_excepted, "{list}");
    }
    let program =
        Program::start(&config, &[("HTTPS_PROXY", &url), ("NO_PROXY", "http://cloud.test")]);
    program.wait_up();
    assert!(
        program.log().contains("NO_PROXY: http://cloud.test has no effect"),
        "{}",
        program.log()
    );
}

#[test]
fn this_machine_is_never_asked_through_a_proxy() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let account = endpoints(&format!("http://localhost:{}", cloud.address.port()));
    let own = format!("{account}    proxy: {{url: \"http://127.0.0.1:9\"}}\n");
    let variables = [("ALL_PROXY", "socks5://127.0.0.1:9"), ("HTTP_PROXY", "http://127.0.0.1:9")];
    for (name, account) in [("environment", account), ("own", own)] {
        Program::start(&folder.write(name, &cloud.config(&account)), &variables).wait_up();
    }
}

/// Runs a command to its end, with only `variables` in its environment: exit code, standard output,
/// standard error.
fn invocation(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_aliyun-task-exporter"));
    let output =
        program.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_used_is_refused_by_name_wherever_it_would_be_used() {
    let folder = Folder::new();
    let text = "swas: {servers: [{id: a, region: cn-hangzhou}]}\n";
    let config = folder.write("config.yaml", text);
    let role = "accounts: [{assume_role: {arn: 'acs:ram::1:role/a'}, endpoints: {ehpc: 'http://[::1]', swas: 'http://[::1]'}}]\n";
    let role = folder.write("role.yaml", &(role.to_owned() + text));
    let value = "socks5h://user:hunter2@127.0.0.1:1080";
    for (name, config) in [("ALL_PROXY", &config), ("all_proxy", &role), ("HTTPS_PROXY", &config)] {
        for arguments in COMMANDS {
            let (code, _, told) =
                invocation(&[arguments, &["--config.file", config]].concat(), &[(name, value)]);
            let wanted = format!(
                "account \"default\": {name} must start with http:// or https://, like http://proxy.example.com:3128; SOCKS proxies \
                 cannot be used"
            );
            assert_eq!(code, Some(2), "{arguments:?}: {told}");
            assert!(told.contains(&wanted) && !told.contains("hunter2"), "{arguments:?}: {told}");
        }
    }
    for (name, list) in
        [("NO_PROXY", "aliyuncs.com"), ("no_proxy", "*"), ("HTTPS_PROXY", "http://proxy:3128")]
    {
        let variables = [("ALL_PROXY", value), (name, list)];
        let (code, said, told) = invocation(&["check", "--config.file", &config], &variables);
        assert_eq!((code, &*told), (Some(0), ""), "{name}");
        let note =
            "note: account \"default\" asks SWAS through the proxy http://proxy:3128 (HTTPS_PROXY)";
        assert_eq!(said.contains(note), name == "HTTPS_PROXY", "{said}");
    }
}

#[test]
fn what_a_proxy_refuses_is_called_the_proxys() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let account = endpoints(&format!("https://{FAR_AWAY}"));
    let config = folder.write("config.yaml", &cloud.config(&account));
    for status in ["502 Bad Gateway", "503 Service Unavailable", "403 Forbidden"] {
        let proxy = cloud.front(move |mut stream| async move {
            read_head(&mut stream).await?;
            stream
                .write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes())
                .await
        });
        let url = format!("http://exporter:hunter2@{}", proxy.address);
        let program = Program::start(&config, &[("https_proxy", &url)]);
        let told = program.wait_failing("proxy");
        let wanted =
            format!("cloud.test through the proxy http://{} (https_proxy): ", proxy.address);
        assert!(
            told.contains(&wanted) && told.contains("check that the proxy"),
            "{status}: {told}"
        );
        assert!(!program.all().contains("hunter2"), "{status}");
    }
    assert_eq!(cloud.calls(), 0);
}

#[test]
fn an_authority_that_is_its_own_server_is_told_with_what_helps() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    for is_authority in [true, false] {
        let mut parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        parameters.is_ca = match is_authority {
            true => IsCa::Ca(BasicConstraints::Unconstrained),
            false => IsCa::ExplicitNoCa,
        };
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let acceptor = accepting(certificate.der().clone(), &key);
        let address = cloud.address;
        let front = cloud.front(move |stream| {
            let acceptor = acceptor.clone();
            async move { relay(acceptor.accept(stream).await?, address).await }
        });
        let ca_file = folder.write("ca.pem", &certificate.pem());
        let account = endpoints(&format!("https://localhost:{}", front.address.port()));
        let config = folder
            .write("config.yaml", &cloud.config(&format!("{account}    ca_file: {ca_file}\n")));
        let program = Program::start(&config, &[]);
        match is_authority {
            true => {
                let told = program.wait_failing("tls");
                assert!(
                    told.contains("CaUsedAsEndEntity")
                        && told.contains("basicConstraints=critical,CA:FALSE"),
                    "{told}"
                );
            }
            false => program.wait_up(),
        }
    }
}

#[test]
fn a_407_of_ehpc_is_a_missing_permission() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    cloud.sim.lock().unwrap().settings_mut().permitted = Some(std::collections::BTreeSet::new());
    let config = cloud.config(&endpoints(&format!("http://{}", cloud.address)));
    let told =
        Program::start(&folder.write("config.yaml", &config), &[]).wait_failing("permission");
    assert!(told.contains("NotAuthorized") && told.contains("HTTP 407"), "{told}");
}

#[test]
fn what_is_odd_about_endpoints_is_told_once_at_the_start() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let proxy = format!("    proxy: {{url: \"http://{}\"}}\n", cloud.proxy(cloud.address).address);
    let config = cloud
        .config(&(endpoints(&format!("http://{FAR_AWAY}")) + "    insecure_http: true\n" + &proxy));
    let program = Program::start(&folder.write("insecure.yaml", &config), &[]);
    program.wait("it polls", |page| page.sum("aliyun_task_exporter_polls_total", &[]) > 0.0);
    assert_eq!(program.log().matches("without TLS").count(), 1, "{}", program.log());
    let config = "ehpc: {clusters: [{id: a, region: xx-1}, {id: b, region: xx-1}]}\n";
    let program = Program::start(&folder.write("unknown.yaml", config), &[]);
    program.wait("it polls", |page| page.sum("aliyun_task_exporter_polls_total", &[]) > 0.0);
    assert_eq!(
        program.log().matches("no public endpoint in region xx-1").count(),
        1,
        "{}",
        program.log()
    );
}

#[test]
fn a_limit_of_series_that_cannot_be_kept_is_told_by_check_at_the_start_by_gauges_and_on_the_page() {
    let cloud = Cloud::start();
    let folder = Folder::new();
    let limits = "metrics: {max_series: 9, max_series_per_target: 2}\n";
    let account = endpoints(&format!("http://{}", cloud.address));
    let config = folder.write("config.yaml", &(cloud.config(&account) + limits));
    let output = Command::new(env!("CARGO_BIN_EXE_aliyun-task-exporter"))
        .args(["check", "--config.file", &config])
        .env_clear()
        .output()
        .unwrap();
    let checked = String::from_utf8(output.stdout).unwrap();
    let program = Program::start(&config, &[]);
    program.wait_up();
    for told in [checked, program.log()] {
        assert!(told.contains("metrics.max_series, 9, cannot be kept: "), "{told}");
        assert!(
            told.contains("metrics.max_series_per_target, 2, cannot be kept by 7 targets"),
            "{told}"
        );
    }
    let page = program.page();
    let gauge = |name: &str| page.value(&format!("aliyun_task_exporter_{name}"), &[]).unwrap();
    assert_eq!(
        (gauge("series"), gauge("targets_above_series_limit")),
        (gauge("series_floor"), 7.0)
    );
    assert!(gauge("series") > gauge("series_limit"));
    assert!(
        program.all().contains("/metrics has ")
            && program.all().contains("though metrics.max_series is 9")
    );
}
