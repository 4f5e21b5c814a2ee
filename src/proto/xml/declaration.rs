//! The XML declaration.

use quick_xml::events::attributes::{AttrError, Attributes};

use super::{Fault, strict};

/// Checks a whole XML declaration, `<?xml` to `?>` (XML 1.0 §2.8, RFC 6120 §11.5, §11.6, §11.8).
pub(super) fn check(written: &str) -> Result<(), Fault> {
    let inside = written
        .strip_prefix("<?xml")
        .and_then(|rest| rest.strip_suffix("?>"))
        .ok_or(Fault::MalformedDeclaration)?;
    strict::attributes_are_separated(inside).map_err(|_| Fault::MalformedDeclaration)?;
    let parts: Vec<_> = Attributes::new(inside, 0)
        .map(|part| part.map(|part| (part.key.into_inner(), part.value)))
        .collect::<Result<_, AttrError>>()
        .map_err(|_| Fault::MalformedDeclaration)?;
    let mut parts = parts
        .iter()
        .map(|(name, value)| (*name, value.as_ref()))
        .peekable();

    // XML 1.0 §2.8: the version must be there, and come first.
    match parts.next() {
        Some(("version", "1.0")) => {}
        Some(("version", other)) => return Err(Fault::XmlVersion(other.into())),
        _ => return Err(Fault::MalformedDeclaration),
    }
    if let Some((_, encoding)) = parts.next_if(|(name, _)| *name == "encoding") {
        // RFC 6120 §11.6; XML 1.0 §4.3.3: names of encodings are compared without regard to case.
        if !encoding.eq_ignore_ascii_case("UTF-8") {
            return Err(Fault::UnsupportedEncoding(encoding.into()));
        }
    }
    if let Some((_, standalone)) = parts.next_if(|(name, _)| *name == "standalone") {
        // RFC 6120 §11.5: to be ignored, or refused; without a DTD it says nothing.
        if !matches!(standalone, "yes" | "no") {
            return Err(Fault::MalformedDeclaration);
        }
    }
    match parts.next() {
        None => Ok(()),
        Some(_) => Err(Fault::MalformedDeclaration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_then_encoding_then_standalone() {
        for good in [
            "<?xml version='1.0'?>",
            "<?xml version=\"1.0\" encoding='UTF-8'?>",
            "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>",
            "<?xml\nversion = '1.0'\tstandalone='no'?>",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, fault) in [
            ("<?xml?>", Fault::MalformedDeclaration),
            ("<?xml ?>", Fault::MalformedDeclaration),
            ("<?xml encoding='UTF-8'?>", Fault::MalformedDeclaration),
            (
                "<?xml encoding='UTF-8' version='1.0'?>",
                Fault::MalformedDeclaration,
            ),
            (
                "<?xml version='1.0'encoding='UTF-8'?>",
                Fault::MalformedDeclaration,
            ),
            (
                "<?xml version='1.0' standalone='maybe'?>",
                Fault::MalformedDeclaration,
            ),
            (
                "<?xml version='1.0' colour='red'?>",
                Fault::MalformedDeclaration,
            ),
            ("<?xml version=1.0?>", Fault::MalformedDeclaration),
            ("<?xml version='1.1'?>", Fault::XmlVersion("1.1".into())),
            ("<?xml version='2.0'?>", Fault::XmlVersion("2.0".into())),
            (
                "<?xml version='1.0' encoding='ISO-8859-1'?>",
                Fault::UnsupportedEncoding("ISO-8859-1".into()),
            ),
        ] {
            assert_eq!(check(bad), Err(fault), "{bad}");
        }
    }
}
