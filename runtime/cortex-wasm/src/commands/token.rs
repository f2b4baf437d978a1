//! `cortex-wasm token`

use cortex_server::{Scope, TokenFile};
use serde_json::{Value, json};

use crate::args::{Format, Token, TokenAction, TokenScope};
use crate::environment;
use crate::exit_status::ExitStatus;
use crate::printer::Printer;

impl From<TokenScope> for Scope {
    fn from(scope: TokenScope) -> Self {
        match scope {
            TokenScope::Call => Self::Call,
            TokenScope::Build => Self::Build,
            TokenScope::Admin => Self::Admin,
        }
    }
}

pub(super) fn execute(token: &Token, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let file = TokenFile::of_home(&environment::home()?);
    match &token.action {
        TokenAction::Create { user, scopes, tools } => {
            let scopes = scopes.iter().copied().map(Scope::from).collect();
            printer.data(&file.create(user, scopes, tools.clone())?);
            printer.note("this is the only time that the token is shown; a server that runs has to be started anew");
        }
        TokenAction::Revoke { user } => {
            let count = file.revoke(user)?;
            printer.note(&format!("{count} of `{user}` forgotten; a server that runs has to be started anew"));
        }
        TokenAction::List(reading) => {
            let all = file.read()?;
            let scope = |scope: &Scope| serde_json::to_value(scope).unwrap_or_default();
            match reading.format {
                Format::Json => {
                    let rows = all.iter().map(|token| {
                        let scopes: Vec<Value> = token.scopes.iter().map(scope).collect();
                        json!({ "user": token.user, "scopes": scopes, "tools": token.tools })
                    });
                    printer.json(&rows.collect::<Vec<_>>())?;
                }
                Format::Text => {
                    for token in &all {
                        let scopes: Vec<_> =
                            token.scopes.iter().filter_map(|one| Some(scope(one).as_str()?.to_owned())).collect();
                        let tools = if token.tools.is_empty() { "all tools".into() } else { token.tools.join(", ") };
                        printer.data(&format!("{}  {}  {tools}", token.user, scopes.join(", ")));
                    }
                }
            }
        }
    }
    Ok(ExitStatus::Success)
}
