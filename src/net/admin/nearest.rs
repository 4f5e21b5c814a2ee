//! Which configured name a mistyped one was most likely meant to be.

use crate::proto::policy::Rules;

/// How many letters may be wrong.
const MISTYPED: usize = 3;

/// Whether one name may be the other, mistyped: of a short name fewer letters may be wrong.
pub(super) fn is_near(name: &str, other: &str) -> bool {
    name != other && distance(name, other) <= MISTYPED.min(name.len() / 4)
}

/// The name in the partner file that is nearest, where one is near.
#[must_use]
pub fn listed(name: &str, rules: &Rules) -> Option<String> {
    let patterns = rules.partners().iter().flat_map(|entry| {
        let additional = entry.additional.iter().map(ToString::to_string);
        std::iter::once(entry.primary.as_str().to_owned()).chain(additional)
    });
    let near = patterns.filter(|pattern| is_near(name, pattern));
    near.min_by_key(|pattern| distance(name, pattern))
}

/// Names of other lengths are not looked at letter by letter.
fn distance(name: &str, other: &str) -> usize {
    match name.len().abs_diff(other.len()) {
        0..=MISTYPED => strsim::damerau_levenshtein(name, other),
        far => far,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::jid::Domain;
    use crate::proto::policy::Partner;

    #[test]
    fn a_mistyped_name_is_near_and_another_one_is_not() {
        let partner = |name: &str| Partner::new(Domain::parse(name).unwrap());
        let partners = vec![partner("fabrikam.example"), partner("a.example")];
        let rules = Rules::new(Vec::new(), partners).unwrap();
        for (name, want) in [
            ("fabrikan.example", Some("fabrikam.example")),
            ("fabirkam.exampel", Some("fabrikam.example")),
            ("adatum.example", None),
            ("b.example", Some("a.example")),
            ("abcdef.example", None),
            ("fabrikam.example", None),
        ] {
            assert_eq!(listed(name, &rules).as_deref(), want, "{name}");
        }
    }
}
