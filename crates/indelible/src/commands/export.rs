//! `indelible export`: a server's stream, or a folder's events, into a file that is there whole or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use indicatif::ProgressBar;

use crate::cli::{ExportArguments, ExportFormat, ServerArguments};
use crate::client::Client;
use crate::exit::{CliError, Exit};
use crate::progress;

use super::folder::Folder;
use super::{parameters, part_of};

pub(crate) fn run(server: &ServerArguments, arguments: &ExportArguments) -> Result<Exit, CliError> {
    let source = Source::open(server, arguments)?;
    if arguments.output.as_os_str() == "-" {
        // not locked: what writes Parquet wants to be able to move between threads
        let mut out = BufWriter::new(io::stdout());
        source.write(&mut out)?;
        out.flush()?;
        return Ok(Exit::Ok);
    }
    let bytes = save(source, &arguments.output)?;
    eprintln!("Wrote {bytes} bytes to {}.", arguments.output.display());
    Ok(Exit::Ok)
}

/// Where the events come from.
enum Source<'a> {
    Server(Box<dyn io::Read>),
    Folder(Box<Folder>, &'a ExportArguments),
}

impl<'a> Source<'a> {
    fn open(server: &ServerArguments, arguments: &'a ExportArguments) -> Result<Self, CliError> {
        if let Some(data) = &arguments.query.data {
            let folder = Folder::open(data, arguments.query.log.as_deref())?;
            return Ok(Self::Folder(Box::new(folder), arguments));
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
        Ok(Self::Server(Box::new(stream.into_body().into_reader())))
    }

    fn write(self, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
        match self {
            Self::Server(mut body) => Ok(io::copy(&mut body, out).map(|_bytes| ())?),
            Self::Folder(folder, arguments) => folder.export(&arguments.query, arguments.format, out),
        }
    }
}

/// Counts what goes into the file.
struct Counted<'a> {
    file: BufWriter<File>,
    bytes: u64,
    bar: &'a ProgressBar,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        self.bar.set_position(self.bytes);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn save(source: Source<'_>, path: &Path) -> Result<u64, CliError> {
    let beside = part_of(path);
    let bar = progress::bar(0, "bytes");
    let copy = || -> Result<u64, CliError> {
        let mut counted = Counted { file: BufWriter::new(File::create(&beside)?), bytes: 0, bar: &bar };
        source.write(&mut counted)?;
        counted.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&beside, path)?;
        Ok(counted.bytes)
    };
    let copied = copy();
    bar.finish_and_clear();
    copied.map_err(|error| {
        let rest = std::fs::remove_file(&beside);
        let left = if rest.is_err() { format!("; {} may be left", beside.display()) } else { String::new() };
        CliError::new(format!("the export to {} is not complete{left}: {error}", path.display()))
    })
}
