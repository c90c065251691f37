//! The role of this instance: it polls, or it stands by.

use super::parts::Tone;
use super::verdict::Verdict;
use crate::store::Role;

/// The verdict on an instance in this role. If it polls, that is `verdict` with what cannot be
/// saved.
pub(super) fn judged(role: &Role, verdict: Verdict) -> Verdict {
    if !role.leads {
        let rest = vec![
            "It asks the cloud nothing and shows nothing of it; it takes over within two seconds of the other one's end"
                .to_owned(),
        ];
        let line = "Standing by: another instance holds the state file and polls".to_owned();
        return Verdict { tone: Tone::Quiet, line, rest };
    }
    let refused = role.reload_refused.as_ref().map(|problems| {
        format!("The changed configuration is not in force, the one before is: {problems}")
    });
    let unsaved = role.unsaved.as_ref().map(|why| {
        format!(
            "What is known is not saved, so a restart would go back to what was saved before: {why}"
        )
    });
    verdict.and(unsaved.into_iter().chain(refused).collect())
}

#[cfg(test)]
mod tests {
    use super::judged;
    use crate::store::Role;
    use crate::web::page::parts::Tone;
    use crate::web::page::verdict::Verdict;

    fn calm() -> Verdict {
        Verdict { tone: Tone::Good, line: "All is well".into(), rest: Vec::new() }
    }

    #[test]
    fn one_that_stands_by_says_that_and_nothing_of_targets() {
        let verdict = judged(&Role { leads: false, ..Role::default() }, calm());
        assert!(verdict.line.starts_with("Standing by"), "{verdict:?}");
    }

    #[test]
    fn what_cannot_be_saved_spoils_the_calm() {
        let verdict =
            judged(&Role { unsaved: Some("disk full".into()), ..Role::default() }, calm());
        assert_eq!(
            (verdict.tone, verdict.line.as_str(), verdict.rest.len()),
            (Tone::Warn, "All is well", 1)
        );
        assert!(verdict.rest[0].ends_with(": disk full"), "{verdict:?}");
        assert_eq!(judged(&Role::default(), calm()), calm());
    }
}
