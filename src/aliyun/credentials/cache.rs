//! What is known of an account's credential, and when to request a new one. Pure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Credential;
use super::provided::ProvidedCredential;
use crate::aliyun::Error;
use crate::files::WatchedFile;
use crate::model::{Lasts, Login};

/// A credential is renewed this long before it expires, or when a quarter of its lifetime is left,
/// whichever is later.
const AHEAD: SignedDuration = SignedDuration::from_mins(15);
/// Pause before looking for something better than a fallback credential.
const FALLBACK: SignedDuration = SignedDuration::from_mins(5);
/// Pause after a failed request for credentials, or after one whose credential the cloud has not
/// accepted yet.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// Maximum pause after credentials that, by this machine's clock, had already expired when they
/// arrived; it doubles up to this. Their source has no newer ones yet, or the clock is wrong.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// Maximum number of refused credentials that are remembered.
const REFUSED: usize = 4;

/// How an attempt gets its credential.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Advice {
    /// Use this one.
    Use(Arc<Credential>),
    /// Use this one, and request its successor in the background.
    Renew(Arc<Credential>),
    /// Request one first.
    Ask,
    /// There is none, and it is too soon to request one again.
    Fail(Error),
}

/// What is worth a line in the log.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum News {
    /// The first failure of its kind while there is a credential.
    Failed(Error),
    /// The first credential that had already expired when it arrived: how long ago, in words.
    Late(String),
    /// The first success after one of these.
    Well,
}

/// A credential in use.
#[derive(Clone, Debug)]
struct Held {
    credential: Arc<Credential>,
    expires: Option<Timestamp>,
    renew_at: Option<Timestamp>,
    /// How long ago it had expired when it arrived, if it had. Only the cloud can then say whether
    /// it is still valid.
    late_by: Option<SignedDuration>,
    watched: Vec<WatchedFile>,
}

/// What is known of an account's credential.
#[derive(Debug, Default)]
pub(super) struct Cache {
    /// The newest credential.
    held: Option<Held>,
    /// The newest that the cloud has accepted.
    good: Option<Held>,
    /// Those that the cloud has refused.
    refused: Vec<Arc<Credential>>,
    /// Why the last request for credentials failed.
    failure: Option<Error>,
    /// Until when no request is made, and the full length of that pause.
    quiet: Option<(Timestamp, SignedDuration)>,
    /// The pause after the last credential, if that had already expired when it arrived.
    late_pause: Option<SignedDuration>,
    /// Number of completed requests for credentials.
    asked: u64,
}

impl Cache {
    /// How an attempt made now gets its credential. One that neither expires nor is a fallback is
    /// read again each time: that is cheap.
    pub(super) fn advice(&self, now: Timestamp) -> Advice {
        if self.is_quiet(now) {
            return self.answer(now).map_or_else(Advice::Fail, Advice::Use);
        }
        let Some(held) = self.held.as_ref().filter(|held| held.renew_at.is_some()) else {
            return Advice::Ask;
        };
        match self.usable(now) {
            None => Advice::Ask,
            Some(usable) if usable.credential != held.credential || held.is_due(now) => {
                Advice::Renew(Arc::clone(&usable.credential))
            }
            Some(usable) => Advice::Use(Arc::clone(&usable.credential)),
        }
    }

    /// The current credential, once a request has been made.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn answer(&self, now: Timestamp) -> Result<Arc<Credential>, Error> {
        let failure = || {
            self.failure
                .clone()
                .unwrap_or_else(|| Error::Credentials("no request has been made yet".into()))
        };
        let last_hope = || match (&self.held, &self.failure) {
            // There is nothing newer: let the cloud decide, since this machine's clock may be
            // wrong.
            (Some(held), None) => Ok(held),
            // Refused, but perhaps wrongly.
            (Some(held), Some(_)) if !held.has_ended(now) => Ok(held),
            _ => Err(failure()),
        };
        self.usable(now).map_or_else(last_hope, Ok).map(|held| Arc::clone(&held.credential))
    }

    /// The newest that has not expired and was not refused.
    fn usable(&self, now: Timestamp) -> Option<&Held> {
        let newest_first = self.held.iter().chain(&self.good);
        newest_first
            .into_iter()
            .find(|held| !held.has_ended(now) && !self.refused.contains(&held.credential))
    }

    /// Records the result of a request for credentials; returns what is worth a line in the log.
    pub(super) fn put(
        &mut self,
        result: Result<ProvidedCredential, Error>,
        now: Timestamp,
    ) -> Option<News> {
        self.asked += 1;
        match result {
            Ok(provided) => {
                let was_late = self.late_pause;
                let had_failed = self.failure.take().is_some();
                let late_by = provided
                    .expires
                    .map(|expires| now.duration_since(expires))
                    .filter(|by| !by.is_negative());
                let doubled = was_late.map_or(PAUSE, |pause| LONGEST_PAUSE.min(pause * 2));
                self.late_pause = late_by.map(|_| doubled);
                self.quiet =
                    provided.expires.and_then(|_| quiet(now, self.late_pause.unwrap_or(PAUSE)));
                self.held = Some(Held::new(provided, late_by.map(|by| (by, doubled)), now));
                match self.late() {
                    Some(late) => was_late.is_none().then_some(News::Late(late)),
                    None => (was_late.is_some() || had_failed).then_some(News::Well),
                }
            }
            Err(error) => {
                self.quiet = quiet(now, PAUSE);
                let known = self.failure.replace(error.clone());
                (self.held.is_some() && known.as_ref() != Some(&error))
                    .then_some(News::Failed(error))
            }
        }
    }

    /// How long ago the newest had expired when it arrived, in words; `None` if it had not.
    fn late(&self) -> Option<String> {
        let by = self.held.as_ref()?.late_by?;
        let by =
            humantime::format_duration(std::time::Duration::from_secs(by.as_secs().unsigned_abs()));
        Some(format!(
            "the credentials had ended {by} before they came, by this machine's clock: check the clock, and what gives them"
        ))
    }

    /// The cloud has answered a request signed with it.
    pub(super) fn accepted(&mut self, credential: &Arc<Credential>) {
        if self.good.as_ref().is_some_and(|good| good.credential == *credential) {
            return;
        }
        self.refused.retain(|refused| refused != credential);
        self.good = self.held.clone().filter(|held| held.credential == *credential);
        if self.good.is_some() && self.failure.is_none() {
            self.quiet = None;
        }
    }

    /// The cloud has refused a request signed with it. If it worked before, something has changed,
    /// and a new request is worthwhile at once.
    pub(super) fn rejected(&mut self, credential: &Arc<Credential>) {
        if self.good.as_ref().is_some_and(|good| good.credential == *credential) {
            self.good = None;
            self.quiet = None;
        }
        if !self.refused.contains(credential) {
            self.refused.push(Arc::clone(credential));
            let too_many = self.refused.len().saturating_sub(REFUSED);
            self.refused.drain(..too_many);
        }
    }

    /// When the newest expires.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.held.as_ref()?.expires
    }

    /// How the account is logged in: with the credential in use, else with the newest.
    pub(super) fn login(&self, now: Timestamp) -> Login {
        let usable = self.usable(now);
        let present = usable.or(self.held.as_ref());
        Login {
            lasts: present.map(Held::lasts),
            is_refused: usable.is_none()
                && present.is_some_and(|held| self.refused.contains(&held.credential)),
            trouble: self.failure.as_ref().map(ToString::to_string).or_else(|| self.late()),
        }
    }

    /// Number of completed requests for credentials.
    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// A pause with more time left than its full length is void: the clock was set back. A pause
    /// after a credential that arrived expired also ends when a file that it depends on changes.
    fn is_quiet(&self, now: Timestamp) -> bool {
        let lasts = |(until, pause): (Timestamp, SignedDuration)| {
            now < until && until.duration_since(now) <= pause
        };
        let is_replaced = |held: &Held| held.late_by.is_some() && held.has_changed();
        self.quiet.is_some_and(lasts) && !self.held.as_ref().is_some_and(is_replaced)
    }
}

/// A pause that begins now.
fn quiet(now: Timestamp, pause: SignedDuration) -> Option<(Timestamp, SignedDuration)> {
    now.checked_add(pause).ok().map(|until| (until, pause))
}

impl Held {
    /// `late`: how long ago the credential had expired when it arrived, and the pause after that.
    fn new(
        provided: ProvidedCredential,
        late: Option<(SignedDuration, SignedDuration)>,
        now: Timestamp,
    ) -> Self {
        let ahead_of_end = provided.expires.map(|expires| {
            let left = expires.duration_since(now);
            late.map_or(left - AHEAD.min(left / 4), |(_, pause)| pause)
        });
        let pause = ahead_of_end.into_iter().chain(provided.fallback.then_some(FALLBACK)).min();
        let renew_at = pause.and_then(|pause| now.checked_add(pause).ok());
        let ProvidedCredential { credential, expires, watched, .. } = provided;
        let late_by = late.map(|(by, _)| by);
        Self { credential: Arc::new(credential), expires, renew_at, late_by, watched }
    }

    fn lasts(&self) -> Lasts {
        match (self.expires, &self.credential.security_token) {
            (Some(time), _) => Lasts::Until(time),
            (None, Some(_)) => Lasts::Untold,
            (None, None) => Lasts::Unlimited,
        }
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        self.late_by.is_none() && self.expires.is_some_and(|expires| now >= expires)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.renew_at.is_some_and(|time| now >= time) || self.has_changed()
    }

    fn has_changed(&self) -> bool {
        self.watched.iter().any(WatchedFile::has_changed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::{Advice, Cache, News};
    use crate::aliyun::Error;
    use crate::aliyun::credentials::Credential;
    use crate::aliyun::credentials::provided::ProvidedCredential;
    use crate::model::{Lasts, Login};
    use crate::secret::Secret;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn credential(id: &str) -> Arc<Credential> {
        Arc::new(Credential {
            access_key_id: id.into(),
            access_key_secret: Secret::new("s"),
            security_token: None,
        })
    }

    fn provided(id: &str, expires: Option<i64>) -> Result<ProvidedCredential, Error> {
        Ok(ProvidedCredential {
            expires: expires.map(at),
            ..ProvidedCredential::lasting(Credential::clone(&credential(id)))
        })
    }

    fn trouble(text: &str) -> Result<ProvidedCredential, Error> {
        Err(Error::Credentials(text.into()))
    }

    fn using(id: &str) -> Advice {
        Advice::Use(credential(id))
    }

    #[test]
    fn an_hour_is_renewed_a_quarter_of_an_hour_ahead_and_a_minute_a_quarter_of_a_minute() {
        for (lifetime, due) in [(3600, 2700), (6 * 3600, 6 * 3600 - 900), (900, 675), (60, 45)] {
            let mut cache = Cache::default();
            assert_eq!(cache.advice(at(0)), Advice::Ask);
            cache.put(provided("a", Some(lifetime)), at(0));
            assert_eq!(cache.advice(at(due - 1)), using("a"), "{lifetime}");
            assert_eq!(cache.advice(at(due)), Advice::Renew(credential("a")), "{lifetime}");
            assert_eq!(cache.advice(at(lifetime)), Advice::Ask, "{lifetime}");
            assert_eq!(cache.expires(), Some(at(lifetime)));
        }
    }

    #[test]
    fn a_server_that_gives_the_same_again_is_asked_ever_closer_to_the_end_and_not_all_the_time() {
        let mut cache = Cache::default();
        cache.put(provided("a", Some(3600)), at(0));
        let mut asked = 0;
        for second in 1..3600 {
            if matches!(cache.advice(at(second)), Advice::Renew(_)) {
                cache.put(provided("a", Some(3600)), at(second));
                asked += 1;
            }
        }
        assert!((4..20).contains(&asked), "{asked}");
    }

    #[test]
    fn the_present_one_is_used_while_it_lasts_and_renewing_fails() {
        let mut cache = Cache::default();
        cache.put(provided("a", Some(60)), at(0));
        let failed = Some(News::Failed(Error::Credentials("x".into())));
        assert_eq!(cache.put(trouble("x"), at(45)), failed, "the first failure is news");
        assert_eq!(cache.advice(at(46)), using("a"), "too soon to ask again");
        assert_eq!(cache.advice(at(50)), Advice::Renew(credential("a")));
        assert_eq!(cache.put(trouble("x"), at(57)), None, "the same failure is none");
        assert_eq!(cache.advice(at(60)), Advice::Fail(Error::Credentials("x".into())));
        assert_eq!(cache.advice(at(62)), Advice::Ask);
        assert_eq!(
            cache.put(provided("b", Some(120)), at(62)),
            Some(News::Well),
            "so is the first success"
        );
        assert_eq!(cache.answer(at(62)), Ok(credential("b")));
    }

    #[test]
    fn a_failure_is_shared_for_five_seconds_and_no_longer_when_the_clock_is_set_back() {
        let mut cache = Cache::default();
        cache.put(trouble("x"), at(100));
        assert_eq!(cache.advice(at(104)), Advice::Fail(Error::Credentials("x".into())));
        assert_eq!(cache.advice(at(105)), Advice::Ask);
        assert_eq!(cache.advice(at(50)), Advice::Ask);
    }

    #[test]
    fn one_that_worked_and_is_refused_is_replaced_at_once() {
        let mut cache = Cache::default();
        cache.put(provided("a", Some(3600)), at(0));
        cache.accepted(&credential("a"));
        cache.rejected(&credential("a"));
        assert_eq!(cache.advice(at(1)), Advice::Ask);
        cache.put(trouble("x"), at(1));
        assert_eq!(cache.advice(at(2)), using("a"), "perhaps it was refused wrongly");
    }

    #[test]
    fn a_failure_to_read_does_not_keep_from_reading_again_once_the_key_is_refused() {
        let mut cache = Cache::default();
        cache.put(provided("a", None), at(0));
        cache.accepted(&credential("a"));
        cache.put(trouble("empty"), at(1));
        assert_eq!(cache.advice(at(2)), using("a"));
        cache.rejected(&credential("a"));
        assert_eq!(cache.advice(at(2)), Advice::Ask);
        cache.put(trouble("empty"), at(2));
        cache.rejected(&credential("a"));
        assert_eq!(cache.advice(at(3)), using("a"), "once, and not over and over");
    }

    #[test]
    fn one_that_never_worked_is_not_replaced_over_and_over() {
        let mut cache = Cache::default();
        cache.put(provided("a", Some(3600)), at(0));
        cache.rejected(&credential("a"));
        assert_eq!(cache.advice(at(1)), using("a"));
        assert_eq!(cache.advice(at(5)), Advice::Ask);
    }

    #[test]
    fn half_a_pair_is_refused_and_the_one_before_goes_on() {
        let mut cache = Cache::default();
        cache.put(provided("a", None), at(0));
        cache.accepted(&credential("a"));
        assert_eq!(cache.advice(at(1)), Advice::Ask, "it is read again each time");
        cache.put(provided("half", None), at(1));
        assert_eq!(cache.answer(at(1)), Ok(credential("half")));
        cache.rejected(&credential("half"));
        assert_eq!(cache.answer(at(1)), Ok(credential("a")));
        cache.put(provided("whole", None), at(2));
        assert_eq!(cache.answer(at(2)), Ok(credential("whole")));
        cache.put(provided("half", None), at(3));
        cache.rejected(&credential("a"));
        assert_eq!(
            cache.answer(at(3)),
            Ok(credential("half")),
            "there is no other: let the cloud judge"
        );
    }

    fn late(cache: &mut Cache, id: &str, second: i64) -> Option<News> {
        cache.put(provided(id, Some(second - 90)), at(second))
    }

    #[test]
    fn what_had_ended_before_it_came_is_used_and_asked_for_at_growing_pauses() {
        let mut cache = Cache::default();
        let told = "the credentials had ended 1m 30s before they came, by this machine's clock: check the clock, and what gives them";
        assert_eq!(late(&mut cache, "a", 1000), Some(News::Late(told.into())));
        assert_eq!(cache.login(at(1000)).trouble.as_deref(), Some(told));
        for is_accepted in [false, true] {
            if is_accepted {
                cache.accepted(&credential("a"));
            }
            assert_eq!(cache.advice(at(1004)), using("a"));
            assert_eq!(
                cache.advice(at(1005)),
                Advice::Renew(credential("a")),
                "no call waits for it"
            );
        }
        assert_eq!(late(&mut cache, "b", 1005), None, "it is told once");
        assert_eq!(
            (cache.advice(at(1014)), cache.advice(at(1015))),
            (using("b"), Advice::Renew(credential("b")))
        );
        assert_eq!(cache.put(provided("c", Some(9000)), at(1015)), Some(News::Well));
        assert_eq!((cache.advice(at(1016)), cache.login(at(1016)).trouble), (using("c"), None));
        assert!(
            late(&mut cache, "d", 8000).is_some()
                && cache.advice(at(8005)) == Advice::Renew(credential("d"))
        );
    }

    #[test]
    fn what_had_ended_before_it_came_and_is_refused_is_asked_for_no_more_often() {
        let mut cache = Cache::default();
        let mut asked = Vec::new();
        for second in 0..300 {
            if matches!(cache.advice(at(second)), Advice::Ask | Advice::Renew(_)) {
                late(&mut cache, "a", second);
                asked.push(second);
            }
            cache.rejected(&credential("a"));
        }
        assert_eq!(asked, [0, 5, 15, 35, 75, 135, 195, 255]);
        assert_eq!(cache.advice(at(100)), Advice::Ask, "the clock was set back");
    }

    #[test]
    fn a_fallback_is_looked_at_again_soon() {
        let mut cache = Cache::default();
        for (expires, start) in [(Some(6 * 3600), 0), (None, 1000)] {
            cache.put(
                provided("a", expires)
                    .map(|provided| ProvidedCredential { fallback: true, ..provided }),
                at(start),
            );
            assert_eq!(cache.advice(at(start + 299)), using("a"));
            assert_eq!(cache.advice(at(start + 300)), Advice::Renew(credential("a")));
        }
    }

    #[test]
    fn the_login_is_told_as_it_is() {
        let mut cache = Cache::default();
        let told = |cache: &Cache, second| {
            let Login { lasts, is_refused, trouble } = cache.login(at(second));
            (lasts, is_refused, trouble.is_some())
        };
        assert_eq!(told(&cache, 0), (None, false, false));
        cache.put(trouble("x"), at(0));
        assert_eq!(told(&cache, 0), (None, false, true));
        cache.put(provided("a", None), at(5));
        assert_eq!(told(&cache, 5), (Some(Lasts::Unlimited), false, false));
        cache.put(provided("b", Some(60)), at(6));
        assert_eq!(told(&cache, 6), (Some(Lasts::Until(at(60))), false, false));
        cache.put(trouble("x"), at(50));
        assert_eq!(
            told(&cache, 70),
            (Some(Lasts::Until(at(60))), false, true),
            "it has ended, and nothing came"
        );
        cache.put(provided("c", Some(160)), at(71));
        cache.rejected(&credential("c"));
        assert_eq!(told(&cache, 71), (Some(Lasts::Until(at(160))), true, false));
        let token = Some(Secret::new("t"));
        let temporary = Credential { security_token: token, ..Credential::clone(&credential("d")) };
        cache.put(Ok(ProvidedCredential::lasting(temporary)), at(72));
        assert_eq!(told(&cache, 72), (Some(Lasts::Untold), false, false));
    }

    #[test]
    fn the_memory_of_the_refused_is_bounded() {
        let mut cache = Cache::default();
        for number in 0..9 {
            cache.rejected(&credential(&number.to_string()));
        }
        assert_eq!(cache.refused.len(), super::REFUSED);
    }
}
