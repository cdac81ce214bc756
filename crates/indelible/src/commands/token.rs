//! `indelible token create|list|revoke`.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::{RoleArgument, ServerArguments, TokenCommand};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::{Format, field, print, stdout, table};

pub(crate) fn run(server: &ServerArguments, command: &TokenCommand) -> Result<Exit, CliError> {
    let client = Client::new(server)?;
    match command {
        TokenCommand::Create { name, role, actor_type, as_roles, groups, logs, expires, format } => {
            let mut body = json!({"name": name, "role": role_word(*role), "roles": as_roles, "groups": groups});
            if let Some(actor_type) = actor_type {
                body["actor_type"] = Value::String(actor_type.clone());
            }
            if let Some(logs) = logs {
                body["logs"] = logs.split(',').map(|log| Value::String(log.trim().to_owned())).collect();
            }
            if let Some(expires) = expires {
                body["expires"] = Value::String(expires.clone());
            }
            let made = client.post("/v1/tokens", &[], "application/json", body.to_string().as_bytes())?;
            match format {
                Format::Json => print(format_args!("{made:#}\n"))?,
                Format::Text => {
                    eprintln!("Token {} ({}), shown only now:", field(&made, &["id"]), field(&made, &["role"]));
                    print(format_args!("{}\n", field(&made, &["token"])))?;
                }
            }
        }
        TokenCommand::List { format } => list(&client, *format)?,
        TokenCommand::Revoke { id, format } => {
            client.delete(&format!("/v1/tokens/{id}"), &[])?;
            match format {
                Format::Json => print(format_args!("{:#}\n", json!({"revoked": id})))?,
                Format::Text => eprintln!("Revoked {id}"),
            }
        }
    }
    Ok(Exit::Ok)
}

fn list(client: &Client, format: Format) -> Result<(), CliError> {
    let answer = client.get("/v1/tokens", &[])?;
    let mut out = stdout();
    if format == Format::Json {
        writeln!(out, "{answer:#}")?;
        return Ok(out.flush()?);
    }
    let empty = Vec::new();
    let tokens = answer.get("tokens").and_then(Value::as_array).unwrap_or(&empty);
    let columns = ["id", "name", "role", "actor_type", "roles", "groups", "created", "expires", "revoked", "last_used"];
    let rows: Vec<Vec<String>> =
        tokens.iter().map(|token| columns.iter().map(|column| cell(token, column)).collect()).collect();
    table(&mut out, &columns, &rows)?;
    Ok(out.flush()?)
}

fn cell(token: &Value, column: &str) -> String {
    match token.get(column) {
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        _ => field(token, &[column]),
    }
}

pub(crate) fn role_word(role: RoleArgument) -> &'static str {
    match role {
        RoleArgument::Admin => "admin",
        RoleArgument::Ingest => "ingest",
        RoleArgument::Read => "read",
        RoleArgument::Gateway => "gateway",
        RoleArgument::Approver => "approver",
        RoleArgument::Responder => "responder",
    }
}
