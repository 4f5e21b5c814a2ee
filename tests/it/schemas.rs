//! JSON is a contract: what is printed is what `docs/reference/schemas` says.

use serde_json::{Value, json};

use crate::lab::Lab;
use crate::tree;

/// Holds a report to its schema; and sees that the schema would notice a key that is gone or new.
pub(crate) fn holds(name: &str, report: &Value) {
    let schema = tree::read(&format!("docs/reference/schemas/{name}.json"));
    let schema = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{report:#}");
    for key in report.as_object().unwrap().keys() {
        let mut other = report.clone();
        other.as_object_mut().unwrap().remove(key);
        let is_optional = schema["properties"][key]["description"]
            .as_str()
            .unwrap()
            .contains("absent");
        assert_eq!(validator.is_valid(&other), is_optional, "{name}: {key}");
    }
    let mut other = report.clone();
    let object = other.as_object_mut().unwrap();
    object.insert("unheard-of".to_owned(), json!(1));
    assert!(!validator.is_valid(&other), "{name}: any key will do");
}

fn json(lab: &Lab, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--config", "edge.toml", "--format", "json"]].concat();
    let (_, output, errors) = lab.run(&arguments);
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{errors}"))
}

#[test]
fn what_check_prints() {
    let lab = Lab::new();
    holds("check", &json(&lab, &["check"]));
    let partner = "[[partner]]\nprimary-domain = \"a.example\"\ntype = \"federated\"\n";
    let doubtful = format!("{partner}dialback = true\n[[partner]]\ntsl = true\n");
    lab.write("partners.toml", &doubtful, 0o644);
    let report = json(&lab, &["check"]);
    assert_ne!(report["errors"], json!([]), "{report:#}");
    assert_ne!(report["partners"][0]["warnings"], json!([]), "{report:#}");
    holds("check", &report);
}

#[test]
fn what_explain_prints() {
    let lab = Lab::new();
    holds("explain", &json(&lab, &["explain", "stranger.example"]));
    let route = "route = [\"127.0.0.1:1\"]\n";
    lab.write(
        "partners.toml",
        &format!("{}{route}", crate::lab::PARTNERS),
        0o644,
    );
    let report = json(&lab, &["explain", "fabrikam.example"]);
    assert_eq!(report["works"], false, "{report:#}");
    holds("explain", &report);
}

#[test]
fn what_contacts_prints() {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("state")).unwrap();
    let contact = ["anne@contoso.example", "bob@fabrikam.example"];
    let add = [
        &["contacts", "add"][..],
        &contact,
        &["--config", "edge.toml"],
    ]
    .concat();
    assert_eq!(lab.run(&add).0, 0);
    let report = json(&lab, &["contacts", "list"]);
    assert_eq!(report["contacts"][0]["local"], contact[0]);
    holds("contacts", &report);
}

/// Each is on the page about them, and is a schema.
#[test]
fn every_schema_is_described() {
    let page = tree::read("docs/reference/json.md");
    let schemas = tree::files("docs/reference/schemas", "json");
    assert!(schemas.len() >= 7);
    for schema in schemas {
        let name = schema.path.rsplit('/').next().unwrap();
        let link = format!("](schemas/{name})");
        assert!(
            page.contains(&link),
            "{name} is not in docs/reference/json.md"
        );
        let schema: Value = serde_json::from_str(&schema.text).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
        described(&schema, name);
    }
}

/// Every key of every object says what it is.
fn described(schema: &Value, place: &str) {
    match schema {
        Value::Object(keys) => {
            for (key, value) in keys {
                let place = format!("{place}/{key}");
                if key == "properties" {
                    for (name, property) in value.as_object().unwrap() {
                        let text = property["description"].as_str().unwrap_or_default();
                        assert!(!text.is_empty(), "{place}/{name} has no description");
                    }
                }
                described(value, &place);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| described(value, place)),
        _ => {}
    }
}
