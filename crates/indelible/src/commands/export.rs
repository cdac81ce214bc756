//! `indelible export`: the server's stream into a file that is there whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::cli::{ExportArguments, ExportFormat, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::output::stdout;
use crate::progress;

use super::{parameters, part_of};

pub(crate) fn run(server: &ServerArguments, arguments: &ExportArguments) -> Result<Exit, CliError> {
    if arguments.query.data.is_some() {
        return Err(CliError::new("`export` asks a server").hint(
            "for a folder use `indelible search --data DIR --format ndjson` or read the Parquet files in `index/`",
        ));
    }
    let mut query = parameters(&arguments.query);
    let format = match arguments.format {
        ExportFormat::Csv => "csv",
        ExportFormat::Ndjson => "ndjson",
        ExportFormat::Parquet => "parquet",
        ExportFormat::Ocsf => "ocsf",
    };
    query.push(("format", format.to_owned()));
    let stream = Client::new(server)?.get_stream("/v1/export", &query)?;
    let mut body = stream.into_body().into_reader();
    if arguments.output.as_os_str() == "-" {
        let mut out = stdout();
        io::copy(&mut body, &mut out)?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    let bytes = save(&mut body, &arguments.output)?;
    eprintln!("Wrote {bytes} bytes to {}.", arguments.output.display());
    Ok(Exit::Ok)
}

fn save(body: &mut dyn io::Read, path: &Path) -> Result<u64, CliError> {
    let beside = part_of(path);
    let bar = progress::bar(0, "bytes");
    let copy = || -> io::Result<u64> {
        let mut file = BufWriter::new(File::create(&beside)?);
        let bytes = io::copy(&mut bar.wrap_read(body), &mut file)?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&beside, path)?;
        Ok(bytes)
    };
    let copied = copy();
    bar.finish_and_clear();
    copied.map_err(|error| {
        let rest = std::fs::remove_file(&beside);
        let left = if rest.is_err() { format!("; {} may be left", beside.display()) } else { String::new() };
        CliError::because(format!("the export to {} is not complete{left}", path.display()), &error)
    })
}
