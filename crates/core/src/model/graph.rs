//! Whether a model's graph is what its description says.

use ort::session::Session;
use ort::value::{Outlet, TensorElementType, ValueType};

use crate::spec::ModelSpec;

/// Compares names, types and shapes with the description; gives the batch size that is fixed.
pub(super) fn check_graph(session: &Session, spec: &ModelSpec) -> Result<Option<usize>, String> {
    if session.inputs().len() != 1 {
        return Err(format!(
            "expected one input, `{}`; found {}",
            spec.input,
            names(session.inputs())
        ));
    }
    let side = |pixels: u32| i64::from(pixels);
    let image = [-1, 3, side(spec.preprocessing.height), side(spec.preprocessing.width)];
    let input = float_shape(session.inputs(), "input", &spec.input)?;
    expect_shape("input", &spec.input, &input, &image)?;
    let columns = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    for (name, columns) in [
        (&spec.outputs.probability, columns(spec.probability_columns())),
        (&spec.outputs.embedding, columns(spec.embedding_dimension)),
    ] {
        let shape = float_shape(session.outputs(), "output", name)?;
        // A pool that kept its two spatial dimensions of 1 is as good.
        let rows = if shape.len() == 4 && shape[2..] == [1, 1] { &shape[..2] } else { &shape[..] };
        expect_shape("output", name, rows, &[-1, columns])?;
    }
    match input[0] {
        -1 => Ok(None),
        1 => Ok(Some(1)),
        fixed => Err(format!(
            "input `{}` has a fixed batch of {fixed}: export it with a dynamic batch, or with 1",
            spec.input
        )),
    }
}

fn float_shape(outlets: &[Outlet], kind: &str, name: &str) -> Result<Vec<i64>, String> {
    let outlet = outlets
        .iter()
        .find(|outlet| outlet.name() == name)
        .ok_or_else(|| format!("no {kind} is named `{name}`; found {}", names(outlets)))?;
    match outlet.dtype() {
        ValueType::Tensor { ty: TensorElementType::Float32, shape, .. } => Ok(shape.to_vec()),
        other => Err(format!("{kind} `{name}` is {other}, expected a float32 tensor")),
    }
}

/// -1 on either side stands for any size.
fn expect_shape(kind: &str, name: &str, found: &[i64], expected: &[i64]) -> Result<(), String> {
    let fits = found.len() == expected.len()
        && found.iter().zip(expected).all(|(f, e)| *f == -1 || *e == -1 || f == e);
    if fits {
        return Ok(());
    }
    Err(format!(
        "{kind} `{name}` has the shape {found:?}, its description says {expected:?} (-1 is any)"
    ))
}

fn names(outlets: &[Outlet]) -> String {
    let names: Vec<_> = outlets.iter().map(|outlet| format!("`{}`", outlet.name())).collect();
    names.join(", ")
}
