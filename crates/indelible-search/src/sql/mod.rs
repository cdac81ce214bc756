//! SQL over the index: one table, `events`, read only.
//!
//! Promises: a statement sees one moment of the log; it is bounded in length, time, memory and answer. Never: another table, a
//! file, the network, a change, or a function whose answer can be larger than its input by a factor of the writer's choice.

mod guard;
mod interrupt;
mod statement;
mod table;
mod value;

#[cfg(test)]
mod duckdb_tests;
#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionState;
use datafusion::prelude::{SQLOptions, SessionConfig, SessionContext};
use futures::StreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;

use self::interrupt::Interruptible;
use self::table::Events;
use self::value::{kind_name, row_value};
use crate::error::{FindError, IndexError};
use crate::index::Index;
use crate::pool;
use crate::scan::Patience;

pub use self::guard::{SQL_BYTES_MAX, SQL_STEPS_MAX, SQL_TOKENS_MAX};
pub use self::statement::SQL_READS_MAX;

/// Most rows of one answer.
pub const SQL_ROWS_MAX: usize = 10_000;
/// Most bytes of values in one answer, so that wide rows cannot fill the memory.
pub const SQL_ANSWER_BYTES: usize = 32 << 20;
/// The name of the table.
const TABLE: &str = "events";
/// Where the engine believes the files to be; nothing else is behind this name.
const STORE: &str = "indelible://index";

/// A statement and its limits.
#[derive(Clone, Debug)]
pub struct SqlRequest {
    /// One `select`, over `events`.
    pub query: String,
    /// Most rows in the answer, 1 to [`SQL_ROWS_MAX`].
    pub max_rows: usize,
    /// How long it may take.
    pub time: Duration,
    /// How much memory it may use, in bytes.
    pub memory: usize,
}

impl SqlRequest {
    /// With 1,000 rows, 30 seconds and 256 MiB.
    #[must_use]
    pub fn new(query: &str) -> Self {
        let time = Duration::from_secs(30);
        Self { query: query.to_owned(), max_rows: 1_000, time, memory: 256 << 20 }
    }
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// What it holds: `text`, `integer`, `number`, `decimal`, `boolean`, `time`, `date`, `list of …`, or the engine's own word.
    pub kind: String,
}

/// The answer to a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlAnswer {
    /// The columns.
    pub columns: Vec<SqlColumn>,
    /// The rows: texts, numbers, booleans, lists and null; a time as RFC 3339 in UTC with nanoseconds, a decimal as text.
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Whether rows were left out because of a limit.
    pub truncated: bool,
    /// How many entries the statement saw: all below this index.
    pub size: u64,
}

/// What the SQL engine keeps between statements: footers of files, and where the files are.
#[derive(Debug)]
pub(crate) struct Engine(OnceLock<Arc<RuntimeEnv>>);

impl Engine {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    fn runtime(&self, index: &Index) -> Result<Arc<RuntimeEnv>, FindError> {
        if let Some(runtime) = self.0.get() {
            return Ok(runtime.clone());
        }
        // a folder that is only read and not there has no files either
        let there = index.folder.try_exists().unwrap_or(true);
        let store: Arc<dyn ObjectStore> = if there {
            let folder = LocalFileSystem::new_with_prefix(&index.folder);
            Arc::new(
                folder
                    .map_err(|fault| IndexError::Damaged { path: index.folder.clone(), reason: fault.to_string() })?,
            )
        } else {
            Arc::new(InMemory::new())
        };
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(disk)
            .with_metadata_cache_limit(index.settings().footer_bytes)
            .build_arc()
            .map_err(|fault| explain(&fault, 0))?;
        // The engine comes with a store of the whole disk; ours, of this folder only, takes its place.
        runtime
            .deregister_object_store(ObjectStoreUrl::local_filesystem().as_ref())
            .map_err(|fault| explain(&fault, 0))?;
        let url = store_url().map_err(|fault| explain(&fault, 0))?;
        runtime.register_object_store(url.as_ref(), store);
        Ok(self.0.get_or_init(|| runtime).clone())
    }
}

impl Index {
    /// Answers one statement.
    ///
    /// # Errors
    /// [`FindError::Sql`] when it is not understood or not allowed, [`FindError::SqlMemory`] and [`FindError::TookTooLong`] when
    /// it asks for too much, others when the index cannot be read.
    pub async fn sql(self: &Arc<Self>, request: SqlRequest) -> Result<SqlAnswer, FindError> {
        let (index, patience) = (self.clone(), Patience::of(request.time));
        let asked = patience.clone();
        let work = async move {
            let seconds = request.time.as_secs();
            match tokio::time::timeout(request.time, index.answer(&request, &asked)).await {
                Ok(answer) => answer,
                Err(_) => Err(FindError::TookTooLong { seconds }),
            }
        };
        pool::run(&patience, work).await
    }

    async fn answer(&self, request: &SqlRequest, patience: &Patience) -> Result<SqlAnswer, FindError> {
        if !(1..=SQL_ROWS_MAX).contains(&request.max_rows) {
            return Err(FindError::OutOfRange { what: "the number of rows", least: 1, most: SQL_ROWS_MAX });
        }
        // Held to the end: files of a snapshot stay while anyone holds it.
        let snapshot = self.snapshot();
        let size = snapshot.size();
        let megabytes = request.memory >> 20;
        let fault = |fault: DataFusionError| explain(&fault, megabytes);
        let context = SessionContext::new_with_state(self.state_for(request.memory, patience)?);
        context.register_table(TABLE, Arc::new(Events::new(snapshot.clone()))).map_err(fault)?;
        let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        let state = context.state();
        let statement = statement::read(&state, &request.query, fault)?;
        let plan = state.statement_to_plan(statement).await.map_err(fault)?;
        guard::check_plan(&plan)?;
        options.verify_plan(&plan).map_err(fault)?;
        let frame = context.execute_logical_plan(plan).await.map_err(fault)?;
        let stream = frame.execute_stream().await.map_err(fault)?;
        let answer = collect(stream, request, size).await;
        drop(snapshot);
        answer
    }

    fn state_for(&self, memory: usize, patience: &Patience) -> Result<SessionState, FindError> {
        let config = SessionConfig::new()
            .with_target_partitions(pool::threads())
            .with_information_schema(false)
            .with_default_catalog_and_schema("log", "main")
            .set_bool("datafusion.execution.enable_recursive_ctes", false)
            .set_bool("datafusion.execution.parquet.pushdown_filters", true)
            .set_bool("datafusion.execution.parquet.reorder_filters", true)
            .set_bool("datafusion.execution.parquet.bloom_filter_on_read", true);
        let consumers = std::num::NonZero::<usize>::MIN;
        let pool = TrackConsumersPool::new(GreedyMemoryPool::new(memory), consumers);
        let runtime = RuntimeEnvBuilder::from_runtime_env(&*self.engine.runtime(self)?)
            .with_memory_pool(Arc::new(pool))
            .build_arc()
            .map_err(|fault| explain(&fault, 0))?;
        let builder = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_physical_optimizer_rule(Arc::new(Interruptible { patience: patience.clone(), memory }));
        Ok(guard::functions(builder).build())
    }
}

async fn collect(
    mut stream: datafusion::execution::SendableRecordBatchStream,
    request: &SqlRequest,
    size: u64,
) -> Result<SqlAnswer, FindError> {
    let fields = stream.schema().fields().clone();
    let columns = fields
        .iter()
        .map(|field| SqlColumn { name: field.name().clone(), kind: kind_name(field.data_type()) })
        .collect();
    let mut answer = SqlAnswer { columns, rows: Vec::new(), truncated: false, size };
    let mut bytes = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|fault| explain(&fault, request.memory >> 20))?;
        for row in 0..batch.num_rows() {
            if answer.rows.len() == request.max_rows || bytes > SQL_ANSWER_BYTES {
                answer.truncated = true;
                return Ok(answer);
            }
            let mut values = Vec::with_capacity(batch.num_columns());
            for column in batch.columns() {
                values.push(row_value(column, row, &mut bytes)?);
            }
            answer.rows.push(values);
        }
    }
    Ok(answer)
}

pub(super) fn store_url() -> Result<ObjectStoreUrl, DataFusionError> {
    ObjectStoreUrl::parse(STORE)
}

/// An engine's error in words for the writer of the statement.
fn explain(fault: &DataFusionError, megabytes: usize) -> FindError {
    let root = fault.find_root();
    let text = root.strip_backtrace();
    let text = text.lines().next().unwrap_or_default().trim().to_owned();
    if let DataFusionError::External(fault) = root
        && let Some(FindError::TookTooLong { seconds }) = fault.downcast_ref::<FindError>()
    {
        return FindError::TookTooLong { seconds: *seconds };
    }
    match root {
        DataFusionError::ResourcesExhausted(_) => FindError::SqlMemory { megabytes },
        DataFusionError::SQL(fault, _) => FindError::Sql { reason: plain(&fault.to_string()) },
        DataFusionError::Plan(_)
        | DataFusionError::SchemaError(_, _)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Execution(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::ArrowError(_, _) => FindError::Sql { reason: plain(&text) },
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
            FindError::Index(IndexError::Damaged { path: "index".into(), reason: text })
        }
        _ => FindError::Bug { reason: text },
    }
}

/// Without the engine's names for its own parts.
fn plain(text: &str) -> String {
    let prefixes = [
        "Error during planning: ",
        "SQL error: ",
        "sql parser error: ",
        "Schema error: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Arrow error: ",
        "Optimizer rule ",
    ];
    let mut text = text;
    if text.contains("table '") && text.ends_with("' not found") {
        return format!("there is no table but `{TABLE}`");
    }
    while let Some(rest) = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest;
    }
    if ["DDL not", "DML not", "Statement not", "Unsupported SQL statement"].iter().any(|start| text.starts_with(start))
    {
        return format!("only `select` is allowed, and nothing that writes: {text}");
    }
    text.to_owned()
}
