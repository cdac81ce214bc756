//! Makes a plan stop when its time is over, nobody waits, or its rows outgrow the memory it may use.
//!
//! The engine hands its thread back only where rows are read, and a join without an equality can work for hours between two such
//! places; and it counts the memory of sorts and groups, but not of texts that functions make. So every operator is watched: it
//! hands back now and then, and what it hands on is measured; and the condition of such a join asks whether to go on. Never:
//! changes what a plan answers.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

use crate::scan::Patience;

/// The rule that makes a plan stop in time.
#[derive(Debug)]
pub(super) struct Interruptible {
    pub(super) patience: Patience,
    /// Most bytes of one batch of rows.
    pub(super) memory: usize,
}

impl PhysicalOptimizerRule for Interruptible {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let made = plan.transform_up(|node| {
            if node.children().is_empty() || node.is::<Watched>() {
                return Ok(Transformed::no(node));
            }
            let node = match node.downcast_ref::<NestedLoopJoinExec>() {
                Some(join) => self.asking(join)?,
                None => node,
            };
            Ok(Transformed::yes(Arc::new(self.watched(node)) as Arc<dyn ExecutionPlan>))
        });
        made.map(|made| made.data)
    }

    fn name(&self) -> &'static str {
        "interruptible"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl Interruptible {
    fn watched(&self, input: Arc<dyn ExecutionPlan>) -> Watched {
        Watched { properties: input.properties().clone(), input, patience: self.patience.clone(), memory: self.memory }
    }

    /// The same join, whose condition asks whether to go on.
    fn asking(&self, join: &NestedLoopJoinExec) -> Result<Arc<dyn ExecutionPlan>> {
        let filter = join.filter().map(|filter| {
            let inner = filter.expression().clone();
            let asking = Arc::new(WhilePatient { inner, patience: self.patience.clone() });
            JoinFilter::new(asking, filter.column_indices().to_vec(), filter.schema().clone())
        });
        let made = NestedLoopJoinExec::try_new(
            join.left().clone(),
            join.right().clone(),
            filter,
            join.join_type(),
            join.projection().as_ref().map(|columns| columns.to_vec()),
        )?;
        Ok(Arc::new(made))
    }
}

/// An operator that is watched.
#[derive(Clone, Debug)]
struct Watched {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    patience: Patience,
    memory: usize,
}

impl DisplayAs for Watched {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watched")
    }
}

impl ExecutionPlan for Watched {
    fn name(&self) -> &'static str {
        "Watched"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match <[_; 1]>::try_from(children) {
            Ok([input]) => Ok(Arc::new(Self { properties: input.properties().clone(), input, ..Self::clone(&self) })),
            Err(_) => Err(DataFusionError::Internal("what is watched is one operator".to_owned())),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, context)?;
        let (schema, patience, memory) = (rows.schema(), self.patience.clone(), self.memory);
        let watched = rows.map(move |batch| {
            patience.check().map_err(|fault| DataFusionError::External(Box::new(fault)))?;
            let batch = batch?;
            if batch.get_array_memory_size() > memory {
                return Err(DataFusionError::ResourcesExhausted("a batch of rows".to_owned()));
            }
            Ok(batch)
        });
        Ok(make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, watched))))
    }
}

/// A condition that is an error as soon as the work should stop.
#[derive(Debug)]
struct WhilePatient {
    inner: Arc<dyn PhysicalExpr>,
    patience: Patience,
}

impl PartialEq for WhilePatient {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for WhilePatient {}

impl Hash for WhilePatient {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for WhilePatient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for WhilePatient {
    fn data_type(&self, schema: &Schema) -> Result<DataType> {
        self.inner.data_type(schema)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.inner.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.patience.check().map_err(|fault| DataFusionError::External(Box::new(fault)))?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[_; 1]>::try_from(children) {
            Ok([inner]) => Ok(Arc::new(Self { inner, patience: self.patience.clone() })),
            Err(_) => Err(DataFusionError::Internal("a condition that asks has one condition below".to_owned())),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
