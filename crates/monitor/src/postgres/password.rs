//! The password that the environment has where the connection string has none, as libpq finds it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// `PGPASSWORD`, else that of the password file: `PGPASSFILE`, else `~/.pgpass`.
pub(super) fn find(config: &Config, variable: impl Fn(&str) -> Option<OsString>) -> Option<String> {
    let of_variable = variable("PGPASSWORD").and_then(|password| password.into_string().ok());
    if let Some(password) = of_variable.filter(|password| !password.is_empty()) {
        return Some(password);
    }
    let home = || Some(PathBuf::from(variable("HOME")?).join(".pgpass"));
    let file = variable("PGPASSFILE").map(PathBuf::from).or_else(home)?;
    let lines = read(&file)?;
    let wanted = wanted(config);
    lines.lines().find_map(|line| password_of(line, &wanted))
}

/// `None` for one that others may read, as libpq has it, and for what is no file.
fn read(file: &Path) -> Option<String> {
    let found = fs::metadata(file).ok()?;
    let of_others = found.permissions().mode() & 0o077;
    (found.is_file() && of_others == 0).then(|| fs::read_to_string(file).ok()).flatten()
}

/// Host, port, database and user.
fn wanted(config: &Config) -> [String; 4] {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => config.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432).to_string();
    let user = config.get_user().unwrap_or_default();
    [host, port, config.get_dbname().unwrap_or(user).to_owned(), user.to_owned()]
}

/// Of `host:port:database:user:password`, where a star stands for anything and a backslash before what has a meaning.
fn password_of(line: &str, wanted: &[String; 4]) -> Option<String> {
    let mut rest = line.trim_end_matches(['\r', '\n']);
    if rest.starts_with('#') {
        return None;
    }
    for wanted in wanted {
        let (field, after) = field(rest)?;
        if field != "*" && field != *wanted {
            return None;
        }
        rest = after;
    }
    // The last field ends with the line.
    field(&format!("{rest}:")).map(|(password, _)| password)
}

/// Up to the next colon, and what comes after it.
fn field(text: &str) -> Option<(String, &str)> {
    let (mut field, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => field.push(letters.next()?.1),
            ':' => return Some((field, &text[at + 1..])),
            other => field.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(address: &str, variables: &[(&str, &str)]) -> Option<String> {
        let find_in = |name: &str| variables.iter().find(|(known, _)| *known == name);
        let variable = |name: &str| find_in(name).map(|(_, value)| OsString::from(value));
        find(&address.parse().unwrap(), variable)
    }

    #[test]
    fn it_is_the_variables_or_that_of_the_first_line_that_fits() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(".pgpass");
        let lines = "# a comment: of mine\nelsewhere:*:*:*:no\ndb:5433:*:me:of 5433\n\n\
                     db:*:sdd:me:a\\:b\\\\c\n/run/pg:*:*:*:socket\nbroken\n*:*:*:other:of other";
        fs::write(&file, lines).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let home = [("HOME", folder.path().to_str().unwrap())];
        for (address, expected) in [
            ("postgres://me@db/sdd", Some("a:b\\c")),
            ("postgres://me@db:5433/sdd", Some("of 5433")),
            ("postgres://me@db/b", None),
            ("postgres://other@anywhere/x", Some("of other")),
            ("host=/run/pg user=u", Some("socket")),
            ("postgres://u@db/sdd", None),
        ] {
            assert_eq!(found(address, &home).as_deref(), expected, "{address}");
        }
        let named = [("PGPASSFILE", file.to_str().unwrap())];
        assert_eq!(found("postgres://me@db/sdd", &named).as_deref(), Some("a:b\\c"));
        let both = [home[0], ("PGPASSWORD", "sesame")];
        assert_eq!(found("postgres://me@db/sdd", &both).as_deref(), Some("sesame"));
        assert_eq!(found("postgres://me@db/sdd", &[]), None);
        // Others may read it.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(found("postgres://me@db/sdd", &home), None);
    }
}
