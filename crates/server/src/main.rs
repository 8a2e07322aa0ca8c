//! The program `sdd-server`.

fn main() -> std::process::ExitCode {
    sdd_server::program::main()
}
