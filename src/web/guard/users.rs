//! `basic_auth_users`: who may read, by bcrypt.
//!
//! A hash takes tens of milliseconds, so a password that was right is recognised by a keyed digest.
//! Only one digest per user is kept, so no request can change what is known of another user or make
//! it grow (unlike CVE-2022-46146, where parts of a cache key ran together).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Maximum number of passwords that wait to be hashed; at a usual cost that is a few seconds.
const MAX_WAITING: usize = 64;
/// Maximum number of those from one address, so that a flood from one leaves room for others.
const MAX_WAITING_OF_ADDRESS: usize = 8;

/// The outcome of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// The password is right.
    Right,
    /// It is wrong or missing, or there is no such user.
    Wrong,
    /// Too many logins wait to be checked.
    Busy,
}

/// The users and their passwords' hashes.
#[derive(Debug)]
pub(super) struct Users {
    hashes: BTreeMap<String, Secret>,
    /// The key of the digests; made at the start and never shown.
    key: Secret,
    right: Mutex<HashMap<String, Digest>>,
    /// One hash at a time, so a flood takes at most one core.
    turn: Semaphore,
    /// Number of waiting logins, by address.
    waiting: Mutex<HashMap<IpAddr, usize>>,
}

type Digest = [u8; 32];

impl Users {
    pub(super) fn new(hashes: BTreeMap<String, Secret>) -> Self {
        let key: [u8; 32] = rand::random();
        Self {
            hashes,
            key: Secret::new(STANDARD.encode(key)),
            right: Mutex::default(),
            turn: Semaphore::new(1),
            waiting: Mutex::default(),
        }
    }

    /// Whether everybody may read.
    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Checks the value of an `Authorization` header.
    pub(super) async fn login(self: &Arc<Self>, authorization: &[u8], peer: IpAddr) -> Login {
        let Some((user, password)) = credentials(authorization) else { return Login::Wrong };
        let Some((hash, is_known)) = self.hash(&user) else { return Login::Wrong };
        let digest = self.digest(hash, &password);
        if is_known && lock(&self.right).get(&user).is_some_and(|right| equal(right, &digest)) {
            return Login::Right;
        }
        let Some(_place) = Place::take(self, peer) else { return Login::Busy };
        // The semaphore is never closed.
        let Ok(_turn) = self.turn.acquire().await else { return Login::Busy };
        let users = Arc::clone(self);
        let check = move || {
            let (hash, _) = users.hash(&user)?;
            let is_right = bcrypt::verify(password.as_slice(), hash.expose()).unwrap_or(false);
            (is_right && is_known).then(|| {
                lock(&users.right).insert(user, digest);
            })
        };
        match tokio::task::spawn_blocking(check).await {
            Ok(Some(())) => Login::Right,
            _ => Login::Wrong,
        }
    }

    /// The hash of a user, and whether there is such a user. For an unknown user, that of another
    /// user, always the same one: refusing takes as long.
    fn hash(&self, user: &str) -> Option<(&Secret, bool)> {
        if let Some(hash) = self.hashes.get(user) {
            return Some((hash, true));
        }
        let [first, second, ..] = self.keyed(&[user.as_bytes()]);
        let number = usize::from(u16::from_be_bytes([first, second]));
        let other = number.checked_rem(self.hashes.len())?;
        self.hashes.values().nth(other).map(|hash| (hash, false))
    }

    fn digest(&self, hash: &Secret, password: &[u8]) -> Digest {
        self.keyed(&[hash.expose().as_bytes(), password])
    }

    /// A digest of parts, each after its length, so that they cannot run together.
    fn keyed(&self, parts: &[&[u8]]) -> Digest {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.expose().as_bytes()) else {
            unreachable!("a key of any length is taken")
        };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// A place among the waiting logins, given back on drop.
struct Place<'a> {
    users: &'a Users,
    peer: IpAddr,
}

impl<'a> Place<'a> {
    fn take(users: &'a Users, peer: IpAddr) -> Option<Self> {
        let mut waiting = lock(&users.waiting);
        let all: usize = waiting.values().sum();
        let own = waiting.entry(peer).or_default();
        if all >= MAX_WAITING || *own >= MAX_WAITING_OF_ADDRESS {
            return None;
        }
        *own += 1;
        Some(Self { users, peer })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.users.waiting);
        if let Some(own) = waiting.get_mut(&self.peer) {
            *own -= 1;
        }
        waiting.retain(|_, own| *own > 0);
    }
}

/// `Basic` credentials: user name and password.
fn credentials(authorization: &[u8]) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let (scheme, encoded) = authorization.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim_ascii()).ok()?);
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let (user, password) = decoded.split_at(colon);
    let user = std::str::from_utf8(user).ok()?.to_owned();
    Some((user, Zeroizing::new(password.get(1..)?.to_vec())))
}

/// Compares in constant time.
fn equal(a: &Digest, b: &Digest) -> bool {
    a.iter().zip(b).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::time::Instant;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::{Login, MAX_WAITING_OF_ADDRESS, Users, credentials, lock};
    use crate::secret::Secret;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn users(pairs: &[(&str, &str)], cost: u32) -> Arc<Users> {
        let hash = |password: &str| Secret::new(bcrypt::hash(password, cost).unwrap());
        let hashes: BTreeMap<_, _> =
            pairs.iter().map(|(user, password)| ((*user).to_owned(), hash(password))).collect();
        Arc::new(Users::new(hashes))
    }

    fn basic(user: &str, password: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))).into_bytes()
    }

    #[tokio::test]
    async fn a_right_password_lets_in_and_nothing_else_does() {
        let users = users(&[("alice", "a"), ("bob", "b:c")], 4);
        assert_eq!(users.login(&basic("alice", "a"), PEER).await, Login::Right);
        assert_eq!(users.login(&basic("bob", "b:c"), PEER).await, Login::Right, "a colon in it");
        for (user, password) in
            [("alice", "b:c"), ("bob", "a"), ("alice", ""), ("", ""), ("eve", "a"), ("alice:a", "")]
        {
            let login = users.login(&basic(user, password), PEER).await;
            assert_eq!(login, Login::Wrong, "{user} {password}");
        }
        for header in [&b""[..], b"Basic", b"Basic ", b"Basic !", b"Bearer abc", b"Basic YWxpY2U="]
        {
            assert_eq!(users.login(header, PEER).await, Login::Wrong, "{header:?}");
        }
        let lower = basic("alice", "a").iter().map(u8::to_ascii_lowercase).collect::<Vec<_>>();
        assert!(credentials(&lower[..6]).is_none());
    }

    #[tokio::test]
    async fn what_is_known_is_one_digest_a_user_and_only_of_what_was_right() {
        let users = users(&[("alice", "a"), ("bob", "b")], 4);
        for number in 0..50 {
            users.login(&basic("alice", &number.to_string()), PEER).await;
            users.login(&basic(&format!("eve{number}"), "a"), PEER).await;
        }
        assert!(lock(&users.right).is_empty());
        users.login(&basic("alice", "a"), PEER).await;
        users.login(&basic("bob", "b"), PEER).await;
        assert_eq!(lock(&users.right).len(), 2);
        // With the other user's digest a user is not let in.
        let swapped = lock(&users.right).get("alice").copied();
        lock(&users.right).insert("bob".into(), swapped.unwrap());
        assert_eq!(
            users.login(&basic("bob", "a"), PEER).await,
            Login::Wrong,
            "the hash is part of it"
        );
        assert!(lock(&users.waiting).is_empty(), "places are given back");
    }

    #[tokio::test]
    async fn an_unknown_user_costs_as_much_as_a_wrong_password() {
        let users = users(&[("alice", "a")], 8);
        let mut took = [0.0, 0.0];
        for _ in 0..5 {
            for (index, user) in ["alice", "eve"].into_iter().enumerate() {
                let began = Instant::now();
                assert_eq!(users.login(&basic(user, "wrong"), PEER).await, Login::Wrong);
                took[index] += began.elapsed().as_secs_f64();
            }
        }
        let ratio = took[1] / took[0];
        assert!((0.1..10.0).contains(&ratio), "{took:?}");
        assert!(took[1] > 0.005, "it is hashed: {took:?}");
    }

    #[tokio::test]
    async fn a_flood_from_one_address_leaves_room_for_another() {
        let users = users(&[("alice", "a")], 10);
        let flood: Vec<_> = (0..4 * MAX_WAITING_OF_ADDRESS)
            .map(|number| {
                let users = Arc::clone(&users);
                let header = basic("alice", &number.to_string());
                tokio::spawn(async move { users.login(&header, PEER).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let other = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(users.login(&basic("alice", "a"), other).await, Login::Right);
        let mut outcomes = Vec::new();
        for login in flood {
            outcomes.push(login.await.unwrap());
        }
        let busy = outcomes.iter().filter(|login| **login == Login::Busy).count();
        assert_eq!(busy, 3 * MAX_WAITING_OF_ADDRESS, "{outcomes:?}");
        assert_eq!(users.login(&basic("alice", "a"), PEER).await, Login::Right, "known: no hash");
    }
}
