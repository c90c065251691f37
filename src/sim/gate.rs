//! The gateway's checks before an operation sees a request: method, common parameters, clock,
//! credentials, nonce.

use std::collections::{HashSet, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::envelope::Envelope;
use super::failure::Failure;
use super::issued::{Issued, Key};
use super::{Operation, Settings};

/// Maximum clock skew of a request.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(15);

/// How long nonces are remembered: a request stamped 15 minutes ahead stays valid for 30.
const NONCE_MEMORY: SignedDuration = SignedDuration::from_mins(30);

/// Maximum number of nonces kept; the oldest are dropped first.
const NONCES_KEPT: usize = 200_000;

/// Recently seen nonces.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    seen: HashSet<String>,
    order: VecDeque<(Timestamp, String)>,
}

impl Nonces {
    /// Records a nonce, or rejects it if it was used before.
    fn spend(&mut self, nonce: &str, now: Timestamp) -> Result<(), Failure> {
        while self.order.front().is_some_and(|(spent, _)| now.duration_since(*spent) > NONCE_MEMORY)
        {
            self.forget_oldest();
        }
        if !self.seen.insert(nonce.to_owned()) {
            return Err(Failure::new(
                400,
                "SignatureNonceUsed",
                "Specified signature nonce was used already.",
            ));
        }
        self.order.push_back((now, nonce.to_owned()));
        if self.order.len() > NONCES_KEPT {
            self.forget_oldest();
        }
        Ok(())
    }

    fn forget_oldest(&mut self) {
        if let Some((_, nonce)) = self.order.pop_front() {
            self.seen.remove(&nonce);
        }
    }
}

/// All checks before the operation runs.
pub(crate) fn check(
    envelope: &Envelope,
    operation: Operation,
    (settings, issued): (&Settings, &Issued),
    nonces: &mut Nonces,
    now: Timestamp,
) -> Result<(), Failure> {
    if !operation.allows(&envelope.method) {
        return Err(Failure::new(
            400,
            "UnsupportedHTTPMethod",
            "This http method is not supported.",
        ));
    }
    check_format(envelope)?;
    if operation.is_unsigned() {
        return check_clock(envelope.timestamp()?, now);
    }
    check_clock(envelope.timestamp()?, now)?;
    let unknown =
        || Failure::new(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
    let key = issued.key(settings, envelope.access_key_id()?, now).ok_or_else(unknown)?;
    envelope.verify(&key.secret)?;
    check_token(envelope, &key)?;
    nonces.spend(envelope.nonce()?, now)
}

/// Requires `Format=JSON`: without it the real gateway answers XML, which nothing here reads.
fn check_format(envelope: &Envelope) -> Result<(), Failure> {
    if envelope.wants_json() {
        return Ok(());
    }
    let message = "The simulator answers JSON only: send Format=JSON, or with ACS3 signatures Accept: application/json.";
    Err(Failure::new(400, "UnsupportedFormat", message))
}

fn check_clock(stamp: &str, now: Timestamp) -> Result<(), Failure> {
    let malformed = || {
        Failure::new(
            400,
            "InvalidTimeStamp.Format",
            "Specified time stamp or date value is not well formatted.",
        )
    };
    let well_formed = stamp.len() == "2024-05-06T07:08:09Z".len() && stamp.ends_with('Z');
    let time: Timestamp = stamp.parse().ok().filter(|_| well_formed).ok_or_else(malformed)?;
    if now.duration_since(time).abs() > CLOCK_TOLERANCE {
        return Err(Failure::new(
            400,
            "InvalidTimeStamp.Expired",
            "Specified time stamp or date value is expired.",
        ));
    }
    Ok(())
}

fn check_token(envelope: &Envelope, key: &Key) -> Result<(), Failure> {
    let refused = |word: &str, message: &'static str| {
        Failure::new(400, format!("InvalidSecurityToken.{word}"), message)
    };
    match (key.token.as_deref(), envelope.security_token()) {
        (None, None) => Ok(()),
        (Some(wanted), Some(sent)) if wanted == sent && !key.has_ended => Ok(()),
        (Some(wanted), Some(sent)) if wanted == sent => {
            Err(refused("Expired", "Specified SecurityToken is expired."))
        }
        (Some(_), None) => Err(Failure::missing("SecurityToken")),
        (_, Some(_)) => Err(refused(
            "MismatchWithAccessKey",
            "Specified SecurityToken mismatches with the AccessKey.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_nonce_is_refused_while_its_request_could_still_be_valid() {
        let mut nonces = Nonces::default();
        assert!(nonces.spend("a", at(0)).is_ok());
        assert_eq!(nonces.spend("a", at(1799)).unwrap_err().code, "SignatureNonceUsed");
        assert!(nonces.spend("a", at(1801)).is_ok());
    }

    #[test]
    fn the_memory_of_nonces_is_bounded() {
        let mut nonces = Nonces::default();
        for number in 0..NONCES_KEPT + 10 {
            nonces.spend(&number.to_string(), at(0)).unwrap();
        }
        assert_eq!((nonces.seen.len(), nonces.order.len()), (NONCES_KEPT, NONCES_KEPT));
    }

    #[test]
    fn the_clock_may_be_fifteen_minutes_off_and_must_be_written_one_way() {
        let now: Timestamp = "2024-05-06T07:15:00Z".parse().unwrap();
        let code = |stamp| check_clock(stamp, now).err().map(|failure| failure.code.into_owned());
        assert_eq!(code("2024-05-06T07:00:00Z"), None);
        assert_eq!(code("2024-05-06T06:59:59Z").as_deref(), Some("InvalidTimeStamp.Expired"));
        assert_eq!(code("2024-05-06T07:30:01Z").as_deref(), Some("InvalidTimeStamp.Expired"));
        for malformed in
            ["2024-05-06 07:15:00", "2024-05-06T07:15:00+00:00", "2024-05-06T07:15:00.1Z", "now"]
        {
            assert_eq!(code(malformed).as_deref(), Some("InvalidTimeStamp.Format"), "{malformed}");
        }
    }
}
