//! Where inference runs.

use std::fmt;
use std::str::FromStr;

/// The processor that runs the model.
///
/// Written `cpu`, `cuda`, `cuda:1` or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// The CPU.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this ordinal; loading fails when it cannot be used.
    Cuda(u16),
    /// The first NVIDIA GPU if a session can be made on it, else the CPU, with a line in the log: there
    /// is none, it is full, or another program has it to itself.
    Auto,
}

impl Device {
    /// ONNX Runtime's name of what runs the model there; for [`Device::Auto`] that of the CPU, which
    /// it may come to.
    #[must_use]
    pub fn execution_provider(self) -> &'static str {
        match self {
            Self::Cuda(_) => "CUDAExecutionProvider",
            Self::Cpu | Self::Auto => "CPUExecutionProvider",
        }
    }
}

impl FromStr for Device {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "auto" => Ok(Self::Auto),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| {
                    format!("expected `cpu`, `cuda`, `cuda:N` or `auto`, found `{text}`")
                }),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn written_and_read_back() {
        for (text, device, written) in [
            ("cpu", Device::Cpu, "cpu"),
            ("cuda", Device::Cuda(0), "cuda:0"),
            ("cuda:3", Device::Cuda(3), "cuda:3"),
            ("auto", Device::Auto, "auto"),
        ] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), written);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "gpu", "CUDA", "cuda:", "cuda:-1", "cuda:x", "cuda:70000"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }
}
