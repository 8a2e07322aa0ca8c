//! What the engine is asked about: one input for each image of a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use bytes::Bytes;
use sdd_core::ModelSpec;
use sdd_serving::engine::Input;
use sdd_serving::{Allowance, Reservation};

use crate::error::{ApiError, Shortage};
use crate::routes::v2::binary;
use crate::routes::v2::request::{InferRequest, InputTensor, invalid};
use crate::routes::v2::tensor::{DataType, Scalar, each_scalar};

/// The name of the input that takes encoded images, whatever the model calls its tensor.
pub const ENCODED_IMAGE: &str = "encoded_image";

/// Another name for it, as one would guess; for data of the type BYTES alone.
const ENCODED_IMAGE_ALIAS: &str = "image";

/// Channels of a model's input.
const CHANNELS: u64 = 3;

/// The dimensions of the model's tensor; `None` is the number of images.
pub fn tensor_shape(spec: &ModelSpec) -> [Option<u64>; 4] {
    let preprocessing = &spec.preprocessing;
    let (height, width) = (preprocessing.height.into(), preprocessing.width.into());
    [None, Some(CHANNELS), Some(height), Some(width)]
}

/// Values in the tensor of one image.
pub fn tensor_len(spec: &ModelSpec) -> usize {
    let values: u64 = tensor_shape(spec).into_iter().flatten().product();
    usize::try_from(values).unwrap_or(usize::MAX)
}

/// The inputs of a request, and the room that they take in memory beside its body.
#[derive(Debug)]
pub struct Inputs {
    /// At least one.
    pub images: Vec<Input>,
    /// Held until they are answered.
    _reservation: Reservation,
}

/// Makes inputs of what a client sent.
pub struct InputDecoder<'a> {
    /// The model that they are for.
    pub spec: &'a ModelSpec,
    /// Images in one request at most.
    pub max_images: usize,
    /// The memory for what is not in the body as it is needed.
    pub memory: &'a Allowance,
}

impl InputDecoder<'_> {
    /// The body as a whole, one encoded image.
    pub fn raw(&self, body: Bytes) -> Inputs {
        Inputs { images: vec![Input::Encoded(body)], _reservation: self.memory.reserve() }
    }

    /// The one tensor of a request, with the binary data that follows the JSON.
    pub fn decode(&self, request: &InferRequest<'_>, binary: &Bytes) -> Result<Inputs, ApiError> {
        let [tensor] = request.inputs.0.as_slice() else {
            return Err(invalid(format!(
                "expected exactly one input, `{}` ({}) or `{ENCODED_IMAGE}` ({}), found {}",
                self.spec.input,
                DataType::Fp32.name(),
                DataType::Bytes.name(),
                request.inputs.0.len()
            )));
        };
        let size = tensor.parameters.as_ref().and_then(|parameters| parameters.binary_data_size);
        let binary = match (size, tensor.data) {
            (Some(size), None) if usize::try_from(size) == Ok(binary.len()) => Some(binary),
            (Some(size), None) => {
                return Err(invalid(format!(
                    "`binary_data_size` is {size}, and {} bytes follow the JSON",
                    binary.len()
                )));
            }
            (None, Some(_)) if binary.is_empty() => None,
            (None, _) if !binary.is_empty() => {
                return Err(invalid(format!(
                    "{} bytes follow the JSON, and no input has a `binary_data_size`",
                    binary.len()
                )));
            }
            _ => {
                return Err(invalid(format!(
                    "input `{}` needs either `data` or `binary_data_size`",
                    tensor.name
                )));
            }
        };
        match tensor.datatype.as_str() {
            "BYTES" => self.encoded(tensor, binary),
            "FP32" => self.tensors(tensor, binary),
            other => Err(invalid(format!(
                "input `{}` has the datatype {other}: expected FP32 for `{}`, preprocessed, or BYTES for `{ENCODED_IMAGE}`",
                tensor.name, self.spec.input
            ))),
        }
    }

    fn encoded(
        &self,
        tensor: &InputTensor<'_>,
        binary: Option<&Bytes>,
    ) -> Result<Inputs, ApiError> {
        if ![ENCODED_IMAGE, ENCODED_IMAGE_ALIAS, &self.spec.input].contains(&tensor.name.as_str()) {
            return Err(self.unknown(tensor, DataType::Bytes, ENCODED_IMAGE));
        }
        let count = self.count(tensor, &[&[None], &[None, Some(1)]], "[N] or [N, 1]")?;
        let mut reservation = self.memory.reserve();
        let images = if let Some(binary) = binary {
            let elements = binary::elements(binary, count);
            let elements = elements.map_err(|reason| in_input(tensor, &reason))?;
            elements.into_iter().map(|at| Input::Encoded(binary.slice(at))).collect()
        } else {
            let images = base64(tensor, count, &mut reservation)?;
            images.into_iter().map(Input::Encoded).collect()
        };
        Ok(Inputs { images, _reservation: reservation })
    }

    fn tensors(
        &self,
        tensor: &InputTensor<'_>,
        binary: Option<&Bytes>,
    ) -> Result<Inputs, ApiError> {
        if tensor.name != self.spec.input {
            return Err(self.unknown(tensor, DataType::Fp32, &self.spec.input));
        }
        let shape = tensor_shape(self.spec);
        let [_, _, height, width] = shape.map(Option::unwrap_or_default);
        let expected = format!("[N, {CHANNELS}, {height}, {width}]");
        let count = self.count(tensor, &[&shape], &expected)?;
        let len = tensor_len(self.spec);
        let total = len.saturating_mul(count);
        let mut reservation = self.memory.reserve();
        if !reservation.grow(total.saturating_mul(size_of::<f32>())) {
            return Err(ApiError::overloaded(Shortage::Memory));
        }
        let images = if let Some(binary) = binary {
            let (values, rest) = binary.as_chunks::<{ size_of::<f32>() }>();
            if values.len() != total || !rest.is_empty() {
                let expected = total.saturating_mul(size_of::<f32>());
                return Err(in_input(
                    tensor,
                    &format!(
                        "its shape takes {expected} bytes of binary data, found {}",
                        binary.len()
                    ),
                ));
            }
            let image = |values: &[[u8; 4]]| binary::floats(values.as_flattened()).collect();
            values.chunks(len).map(image).collect()
        } else {
            numbers(tensor, len, total)?
        };
        for (index, image) in images.iter().enumerate() {
            check_finite(tensor, index, image)?;
        }
        let images = images.into_iter().map(Input::Tensor).collect();
        Ok(Inputs { images, _reservation: reservation })
    }

    /// The first dimension, where the others are as in one of the shapes.
    fn count(
        &self,
        tensor: &InputTensor<'_>,
        shapes: &[&[Option<u64>]],
        expected: &str,
    ) -> Result<usize, ApiError> {
        let found = &tensor.shape;
        if !shapes.iter().any(|shape| found.matches(shape)) {
            let reason = format!("it has the shape {:?}, expected {expected}", found.0);
            return Err(in_input(tensor, &reason));
        }
        let count = found.0.first().copied().unwrap_or_default();
        let count = usize::try_from(count).ok().filter(|count| *count <= self.max_images);
        match count {
            Some(0) => Err(in_input(tensor, "it has no element")),
            Some(count) => Ok(count),
            None => {
                let (found, limit) = (found.0[0], self.max_images);
                Err(in_input(tensor, &format!("it has {found} images, {limit} at most are taken")))
            }
        }
    }

    fn unknown(&self, tensor: &InputTensor<'_>, datatype: DataType, expected: &str) -> ApiError {
        invalid(format!(
            "model `{}` has no input `{}` of the datatype {}: expected `{expected}`",
            self.spec.name,
            tensor.name,
            datatype.name()
        ))
    }
}

/// The images of a tensor of BYTES in JSON.
fn base64(
    tensor: &InputTensor<'_>,
    count: usize,
    reservation: &mut Reservation,
) -> Result<Vec<Bytes>, ApiError> {
    let mut images = Vec::new();
    let mut overloaded = false;
    let mut take = |scalar: Scalar<'_>| {
        let Scalar::Text(text) = scalar else {
            return Err("expected strings: the images in base64".to_owned());
        };
        if images.len() == count {
            return Err(format!("it has more than the {count} elements of its shape"));
        }
        // The text is longer than what it stands for.
        if !reservation.grow(text.len()) {
            overloaded = true;
            return Err("no room".to_owned());
        }
        let image = STANDARD_PAD_INDIFFERENT
            .decode(text)
            .map_err(|error| format!("element {} is not base64: {error}", images.len()))?;
        images.push(Bytes::from(image));
        Ok(())
    };
    let read = tensor.data.map_or(Ok(()), |data| each_scalar(data, &mut take));
    if overloaded {
        return Err(ApiError::overloaded(Shortage::Memory));
    }
    read.map_err(|reason| in_input(tensor, &reason))?;
    check_count(tensor, images.len(), count)?;
    Ok(images)
}

/// The images of a tensor of FP32 in JSON.
fn numbers(tensor: &InputTensor<'_>, len: usize, total: usize) -> Result<Vec<Vec<f32>>, ApiError> {
    let mut images: Vec<Vec<f32>> = Vec::new();
    let mut found = 0;
    let mut take = |scalar: Scalar<'_>| {
        let Scalar::Number(number) = scalar else {
            return Err("expected numbers".to_owned());
        };
        if found == total {
            return Err(format!("it has more than the {total} values of its shape"));
        }
        if found % len == 0 {
            images.push(Vec::with_capacity(len));
        }
        found += 1;
        if let Some(image) = images.last_mut() {
            #[expect(clippy::cast_possible_truncation, reason = "the tensor is of FP32")]
            image.push(number as f32);
        }
        Ok(())
    };
    let read = tensor.data.map_or(Ok(()), |data| each_scalar(data, &mut take));
    read.map_err(|reason| in_input(tensor, &reason))?;
    check_count(tensor, found, total)?;
    Ok(images)
}

fn check_count(tensor: &InputTensor<'_>, found: usize, expected: usize) -> Result<(), ApiError> {
    if found == expected {
        return Ok(());
    }
    Err(in_input(tensor, &format!("its shape has {expected} elements, its data {found}")))
}

fn check_finite(tensor: &InputTensor<'_>, index: usize, image: &[f32]) -> Result<(), ApiError> {
    match image.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let reason = format!("value {at} of image {index} is {}, not finite", image[at]);
            Err(in_input(tensor, &reason))
        }
    }
}

fn in_input(tensor: &InputTensor<'_>, reason: &str) -> ApiError {
    invalid(format!("input `{}`: {reason}", tensor.name))
}
