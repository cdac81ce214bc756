//! Values of an answer as JSON. Never: a number that JSON readers would round without a word (decimals are texts).

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value;

/// About what a value takes beyond its text.
const VALUE_BYTES: usize = 24;

/// What a column of an answer holds, in the words of this project.
pub(super) fn kind_name(kind: &DataType) -> String {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Dictionary(_, value) => kind_name(value),
        kind if kind.is_integer() => "integer".to_owned(),
        kind if kind.is_floating() => "number".to_owned(),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            "decimal".to_owned()
        }
        DataType::Boolean => "boolean".to_owned(),
        DataType::Timestamp(_, _) => "time".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::List(item) | DataType::LargeList(item) => format!("list of {}", kind_name(item.data_type())),
        DataType::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

/// The value of one row as JSON; adds about what it takes to `bytes`.
pub(super) fn row_value(array: &ArrayRef, row: usize, bytes: &mut usize) -> Result<Value, ArrowError> {
    *bytes += VALUE_BYTES;
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Utf8 => text(array.as_string::<i32>().value(row), bytes),
        DataType::LargeUtf8 => text(array.as_string::<i64>().value(row), bytes),
        DataType::Utf8View => text(array.as_string_view().value(row), bytes),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float32 => f64::from(array.as_primitive::<Float32Type>().value(row)).into(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).into(),
        DataType::Timestamp(unit, _) => time(array, *unit, row)?,
        DataType::List(_) => list(&array.as_list::<i32>().value(row), bytes)?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row), bytes)?,
        _ => text(&written(array, row)?, bytes),
    })
}

fn text(text: &str, bytes: &mut usize) -> Value {
    *bytes += text.len();
    text.into()
}

fn list(items: &ArrayRef, bytes: &mut usize) -> Result<Value, ArrowError> {
    (0..items.len()).map(|item| row_value(items, item, bytes)).collect()
}

fn written(array: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    Ok(ArrayFormatter::try_new(array.as_ref(), &FormatOptions::default())?.value(row).to_string())
}

/// RFC 3339 in UTC; nanoseconds are written where the column has them.
fn time(array: &ArrayRef, unit: TimeUnit, row: usize) -> Result<Value, ArrowError> {
    let ns = datafusion::arrow::compute::cast(&array.slice(row, 1), &DataType::Timestamp(TimeUnit::Nanosecond, None))?;
    let ns = ns.as_primitive::<datafusion::arrow::datatypes::TimestampNanosecondType>().value(0);
    let Ok(time) = jiff::Timestamp::from_nanosecond(i128::from(ns)) else { return Ok(Value::Null) };
    Ok(match unit {
        TimeUnit::Second => format!("{time:.0}"),
        TimeUnit::Millisecond => format!("{time:.3}"),
        TimeUnit::Microsecond => format!("{time:.6}"),
        TimeUnit::Nanosecond => format!("{time:.9}"),
    }
    .into())
}
