//! What the user can do about an error.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Content, Error};
use crate::model::Reason;

impl Error {
    /// What the user can do about it.
    pub fn advice(&self) -> Cow<'static, str> {
        match self {
            Self::Service { clock_skew: Some(skew), .. } => clock_advice(*skew),
            _ => None,
        }
        .map_or_else(|| self.fixed_advice().into(), Cow::Owned)
    }

    fn fixed_advice(&self) -> &'static str {
        match self {
            Self::Untrusted(_) => {
                "if an authority of your own has signed the certificate (of a proxy that looks into TLS, of an endpoint of \
                 your own), name its PEM file in accounts[].ca_file; if it is said to have expired or not to be valid yet, \
                 check the clock of this machine"
            }
            Self::AuthorityAsServer(_) => {
                "the server uses a certificate of an authority (CA:TRUE) as its own, which is not allowed, even if ca_file names \
                 it: give the server one with CA:FALSE, signed by that authority (leave ca_file as it is), or by itself \
                 (openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN=HOST -addext subjectAltName=DNS:HOST \
                 -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem, and name cert.pem in ca_file)"
            }
            Self::ProxyLogin(_) => {
                "check the user name and the password for the proxy: accounts[].proxy.username and accounts[].proxy.password, or \
                 http://user:password@host:port in HTTPS_PROXY"
            }
            Self::Decode { came, content } => {
                unread_advice(came.status, &came.content_type, content)
            }
            Self::Status { came, .. } if (300..400).contains(&came.status) => {
                "the API never redirects: if the host is that of a login page or a proxy, have the endpoint let through \
                 there; else correct accounts[].endpoints"
            }
            Self::Service { code, .. } if code == "ClusterNotFound" => {
                "check the cluster id and its region; a cluster of the newer E-HPC generation (API 2024-07-30) has no \
                 list of tasks and cannot be polled, only those of API 2018-04-12 can"
            }
            Self::Service { code, .. } if code == "InvalidRegionId.NotFound" => {
                "check the name of the region, in regions of the discovery or in region of the target"
            }
            Self::Service { code, .. } if code == "SignatureDoesNotMatch" => {
                "the AccessKeySecret does not belong to the AccessKeyId: check both"
            }
            Self::Service { code, .. } if code.starts_with("InvalidAccessKeyId") => {
                "this AccessKeyId does not exist or is disabled: check it in the RAM console"
            }
            _ => advice(self.reason()),
        }
    }
}

/// What the user can do about throttled calls.
pub const THROTTLED_ADVICE: &str = "the quota of the account is used up, maybe by others: find what else uses the account, \
     raise its quota at Alibaba Cloud, divide accounts[].quotas between the exporters of the account, or raise \
     poll.interval";

fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::Throttled => THROTTLED_ADVICE,
        Reason::Credentials => "check the credentials of the account",
        Reason::Permission => {
            "grant the operation to the RAM user or role; see docs/alibaba-cloud-api.md for the policy"
        }
        Reason::NotFound => {
            "check the id and the region; remove the target from the configuration if it is gone"
        }
        Reason::InvalidRequest => {
            "check region and endpoint; if both are right, report this as a bug"
        }
        Reason::Account => "settle the bill of the account, or enable the service in the console",
        Reason::Conflict => "none needed: the cluster is busy and is asked again at the next tick",
        Reason::Clock => {
            "set the clock of this machine: the cloud refuses requests more than 15 minutes off"
        }
        Reason::Service => {
            "none needed: the cloud has trouble of its own and is asked again at the next tick"
        }
        Reason::Timeout => "check the network to the endpoint; raise poll.timeout if it is slow",
        Reason::Blocked => {
            "something between here and the cloud refuses, such as a firewall, a proxy or a login page: have the endpoint let \
             through there, and check accounts[].proxy and accounts[].endpoints; this says nothing of RAM"
        }
        Reason::Dns => {
            "check the name of the endpoint (region, network, accounts[].endpoints), and that this machine's DNS server \
             resolves it"
        }
        Reason::Connect => {
            "check that a firewall lets this machine connect to the endpoint; if only a proxy may, name it in accounts[].proxy"
        }
        Reason::Tls => {
            "check that the endpoint speaks TLS, and that no firewall or proxy on the way cuts it off; an authority of your \
             own belongs into accounts[].ca_file"
        }
        Reason::Proxy => {
            "check that the proxy (accounts[].proxy, or HTTPS_PROXY, HTTP_PROXY or ALL_PROXY of the environment) runs, and that it \
             may connect to the endpoint; NO_PROXY excepts hosts from it"
        }
        Reason::Transport => {
            "check what is between here and the endpoint: the connection broke before the whole answer came"
        }
        Reason::Decode => NO_ANSWER_OF_THE_API,
        Reason::TooLarge => "raise poll.max_response_bytes",
    }
}

const NO_ANSWER_OF_THE_API: &str = "this is no answer of the API: check that the endpoint is one of Alibaba Cloud, and \
     what is between here and there (accounts[].endpoints, accounts[].proxy)";

/// What to do about a body that is not the documented JSON. It can be a bug of this program only if
/// the API itself sent it.
fn unread_advice(status: u16, content_type: &str, content: &Content) -> &'static str {
    let is_json = content_type.contains("json") || content_type == "no content type";
    match content {
        Content::Json { .. } | Content::Lacks(_) if (200..300).contains(&status) && is_json => {
            "check that the endpoint is one of Alibaba Cloud; if so, report this as a bug"
        }
        Content::Html => {
            "a page in place of the API's answer comes from a login page, a firewall or a proxy: have the endpoint let \
             through there, and check accounts[].proxy and accounts[].endpoints"
        }
        Content::Compressed => {
            "something between here and the cloud compresses answers, though nothing compressed was asked for: have it leave \
             those of the endpoint as they are"
        }
        Content::Empty | Content::BrokenJson => {
            "if this lasts, check what is between here and the endpoint: the answer did not come whole"
        }
        Content::OfAnother(_) => {
            "something between here and the cloud mixes answers up, such as a cache: it must not keep those of the API"
        }
        Content::Json { .. } | Content::Lacks(_) | Content::Xml | Content::Other => {
            NO_ANSWER_OF_THE_API
        }
    }
}

/// States how wrong the clock is, to the minute.
fn clock_advice(skew: SignedDuration) -> Option<String> {
    let minutes = (skew.as_secs().unsigned_abs() + 30) / 60;
    let side = if skew.is_negative() { "ahead of" } else { "behind" };
    (minutes > 0).then(|| {
        format!(
            "set the clock of this machine, which is {} {side} the cloud's: requests more than 15 minutes off are refused",
            humantime::format_duration(Duration::from_secs(minutes * 60))
        )
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use jiff::SignedDuration;

    use super::Error;

    fn answered(body: &str) -> Error {
        Error::from_answer(400, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn a_wrong_clock_is_told_with_its_offset() {
        let expired = r#"{"Code": "InvalidTimeStamp.Expired"}"#;
        for (seconds, wanted) in
            [(3725, "is 1h 2m behind the cloud's"), (-959, "is 16m ahead of the cloud's")]
        {
            let skew = Some(SignedDuration::from_secs(seconds));
            let error = answered(expired).with_clock_skew(skew);
            assert!(error.advice().contains(wanted), "{}", error.advice());
            let other = answered(r#"{"Code": "InvalidParams"}"#);
            assert_eq!(other.clone().with_clock_skew(skew), other, "the clock is not its trouble");
        }
        assert!(answered(expired).advice().contains("set the clock"));
    }
}
