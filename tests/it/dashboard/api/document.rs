//! The document beside what is answered, and beside the routes in the sources.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use super::{
    super::kit::{board, board_with, get},
    paths,
};

/// What a schema stands for.
fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{name} is missing")),
        None => schema,
    }
}

/// The schemas that all hold, or one of which does.
fn parts<'d>(document: &'d Value, schema: &'d Value) -> Vec<&'d Value> {
    let schema = resolve(document, schema);
    let inner = ["allOf", "oneOf", "anyOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    let mut all: Vec<_> = inner.flat_map(|part| parts(document, part)).collect();
    all.push(schema);
    all
}

/// Every key of an answer must be one of its schema, of the type that it says.
fn walk(document: &Value, schema: &Value, answer: &Value, at: &str) {
    let all = parts(document, schema);
    let kinds: BTreeSet<&str> = all
        .iter()
        .flat_map(|part| match &part["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            kind => kind.as_str().into_iter().collect::<Vec<_>>(),
        })
        .collect();
    let kind = match answer {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(kind) || kind == "integer" && kinds.contains("number"), "{at} is {kind}, not {kinds:?}");
    match answer {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = format!("{at}.{key}");
                let field = all.iter().find_map(|part| part["properties"].get(key));
                walk(document, field.unwrap_or_else(|| panic!("{at} is not in the document")), value, &at);
            }
            for required in all.iter().filter_map(|part| part["required"].as_array()).flatten() {
                let key = required.as_str().unwrap();
                assert!(fields.contains_key(key), "{at}.{key} is not answered");
            }
        }
        Value::Array(items) => {
            let item = all.iter().map(|part| &part["items"]).find(|items| !items.is_null()).unwrap();
            for (index, value) in items.iter().enumerate() {
                walk(document, item, value, &format!("{at}[{index}]"));
            }
        }
        Value::String(text) if text.len() == 27 && text.ends_with('Z') => {
            assert!(all.iter().any(|part| part["format"] == "date-time"), "{at} is a time");
        }
        _ => {}
    }
}

#[tokio::test]
async fn every_answer_is_what_the_document_says() {
    let (site, app) = board("api_document").await;
    let document = get(&app, "/board/api/openapi.json").await.json();
    let id = site.one::<i64>("SELECT max(id) FROM \"@\" WHERE user_id IS NOT NULL").await;
    site.run(&format!("UPDATE \"@\" SET ip = '192.0.2.1', user_agent = 'a' WHERE id <= {id}")).await;
    for path in paths(id) {
        let operation = path.strip_prefix("/board/api").unwrap().replace("u1", "{id}").replace(&id.to_string(), "{id}");
        let schema = &document["paths"][&operation]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{operation} is not in the document");
        if operation != "/openapi.json" {
            walk(&document, schema, &get(&app, &path).await.json(), &operation);
        }
    }
    let problem = &document["paths"]["/live"]["get"]["responses"]["default"]["content"]["application/problem+json"];
    walk(&document, &problem["schema"], &get(&app, "/board/api/live?limit=0").await.json(), "problem");
    site.drop().await;
}

/// The first arguments of `.route(..)` in a folder of the sources.
fn routes(folder: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dashboard").join(folder);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        found.extend(text.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    found
}

#[tokio::test]
async fn every_route_is_in_the_document_and_takes_what_it_says() {
    let (site, app) = board("api_routes").await;
    let document = get(&app, "/board/api/openapi.json").await.json();
    let told: BTreeSet<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let (mut there, live) = (routes("api"), routes("live"));
    assert!(there.len() >= 9 && live.len() == 1);
    there.extend(live);
    assert_eq!(told, there.iter().map(String::as_str).collect());

    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(item["get"]["responses"]["default"].is_object(), "{path}");
        assert!(item["get"]["description"].is_string() || item["get"]["summary"].is_string(), "{path}");
        for parameter in item["get"]["parameters"].as_array().unwrap_or(&Vec::new()) {
            assert!(parameter["description"].is_string(), "{path}: {parameter}");
            if parameter["in"] == "query" {
                let name = parameter["name"].as_str().unwrap();
                let asked = format!("/board/api{}?{name}=%00", path.replace("{id}", "1"));
                let problem = get(&app, &asked).await.json();
                assert!(problem["detail"].as_str().unwrap().contains("NUL"), "{asked}: {problem}");
                assert!(parameter["required"] != true, "{path}: {name}");
            }
        }
    }
    site.drop().await;
}

#[tokio::test]
async fn the_server_is_where_it_is_mounted() {
    let (site, app) = board("api_servers").await;
    let document = get(&app, "/board/api/openapi.json").await.json();
    assert_eq!(document["servers"], serde_json::json!([{ "url": "/board/api" }]));
    assert_eq!(document["security"], Value::Null);
    site.drop().await;
    let (site, app) =
        board_with("api_servers_basic", |builder| builder.basic_auth("a", "b").mount_path("/behind")).await;
    let request = http::Request::get("/board/api/openapi.json").header("authorization", "Basic YTpi");
    let document = super::super::kit::send(&app, request.body(axum::body::Body::empty()).unwrap()).await.json();
    assert_eq!(document["servers"][0]["url"], "/behind/api");
    assert_eq!(document["components"]["securitySchemes"]["basic"]["scheme"], "basic");
    site.drop().await;
}
