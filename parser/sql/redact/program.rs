//! Command lines: COPY … PROGRAM, `archive_command`. What tells a program a password is told apart by the program.

use super::connection::{self, Form};
use super::name;

/// Programs that take no password and run no other program, or only by options of these letters.
#[rustfmt::skip]
const PROGRAMS: [(&str, &str); 75] = [
    ("[", ""), ("barman-wal-archive", ""), ("barman-wal-restore", ""), ("base64", ""), ("basename", ""),
    ("bunzip2", ""), ("bzcat", ""), ("bzip2", ""), ("cat", ""), ("cd", ""), ("chmod", ""), ("cmp", ""), ("comm", ""),
    ("cp", ""), ("curl", "bdEFHKuUx"), ("cut", ""), ("date", ""), ("dd", ""), ("df", ""), ("diff", ""), ("du", ""),
    ("egrep", ""), ("false", ""), ("find", "kx"), ("grep", ""), ("gunzip", ""), ("gzip", ""), ("head", ""),
    ("hexdump", ""), ("hostname", ""), ("iconv", ""), ("id", ""), ("join", ""), ("jq", ""), ("ln", ""), ("ls", ""),
    ("lz4", ""), ("mariadb", "ep"), ("md5sum", ""), ("mkdir", ""), ("mv", ""), ("mysql", "ep"), ("nl", ""), ("od", ""),
    ("paste", ""), ("pgbackrest", ""), ("pigz", ""), ("psql", "cv"), ("rm", ""), ("rsync", "e"), ("scp", ""), ("sed", ""),
    ("sha256sum", ""), ("sleep", ""), ("sort", ""), ("split", ""), ("stat", ""), ("tac", ""), ("tail", ""),
    ("tar", "FI"), ("tee", ""), ("test", ""), ("touch", ""), ("tr", ""), ("true", ""), ("uname", ""), ("uniq", ""),
    ("wal-g", ""), ("wc", ""), ("wget", "-"), ("whoami", ""), ("xz", ""), ("xzcat", ""), ("zcat", ""), ("zstd", ""),
];

/// What announces a secret in any command line.
#[rustfmt::skip]
const SIGNS: [&str; 13] = [
    "api-key", "auth-key", "authorization", "bearer", "cipher-pass", "cookie", "openssl", "passphrase", "passw", "secret", "sshpass", "token",
    "x-auth",
];

/// Parts of the long options by which programs are told secrets, files of them, or what else to run.
#[rustfmt::skip]
const LONG_OPTIONS: [&str; 18] = [
    "auth", "bearer", "cert", "command", "config", "cookie", "cred", "data", "exec", "form", "header", "json", "key", "pass",
    "program", "proxy", "user", "variable",
];

/// May this command line log in somewhere? That of a program nobody here knows may.
pub(super) fn may_log_in(line: &str) -> bool {
    let mut found = SIGNS.iter().any(|sign| name::contains(line, sign));
    found |= connection::secrets(line, Form::Connection, |_| found = true);
    found || commands(line).any(is_told_secrets)
}

/// The commands of a line: those of a pipe, of a list, within others.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    let commands = line.split(['|', ';', '\n', '`', '(']).flat_map(|part| part.split("& "));
    commands.map(|command| command.trim_matches([' ', '\t', '&', ')'])).filter(|command| !command.is_empty())
}

fn is_told_secrets(command: &str) -> bool {
    let mut words = command.split_ascii_whitespace();
    let program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let Some((_, letters)) = PROGRAMS.iter().find(|(known, _)| *known == program) else { return true };
    words.any(|word| match word.strip_prefix("--") {
        Some(long) => letters.len() > 1 && is_long_option(long) || *letters == "-" && is_long_option(long),
        None => word.strip_prefix('-').is_some_and(|short| short.contains(|letter| letters.contains(letter))),
    })
}

fn is_long_option(option: &str) -> bool {
    LONG_OPTIONS.iter().any(|part| name::contains(option, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_log_in() {
        for line in [
            "PGPASSWORD=x psql",
            "env PGPASS=x psql",
            "curl -su a:b https://h",
            "curl --data-binary x https://h",
            "curl -d 'user=a&pw=x' https://h",
            "/usr/bin/curl -X POST -dx h",
            "mysql -uroot -psecret",
            "sshpass -p x ssh h",
            "curl ftp://a:b@h",
            "curl -H 'Authorization: Bearer x' h",
            "wget --post-data=x h",
            "redis-cli -a x get y",
            "mongo -p x d",
            "smbclient -U u%x //h/s",
            "lftp -u a,x h",
            "sqlcmd -S h -U a -P x",
            "bcp t out f -U a -P x",
            "ncftpget -u a -p x h",
            "plink -pw x h",
            "cat f | zip -P x - f",
            "7z a -px f",
            "ldapsearch -w x",
            "sqlplus a/x@h",
            "echo x",
            "gzip -dc f && nc -w x",
            "ssh h run -p x",
            "awk '{print x}' f",
            "find / -exec login -p x {} +",
            "tar --to-command 'login x' -xf f",
            "tar -I 'login x' -xf f",
            "psql -c \"alter role a\"",
            "psql --variable=a=x",
            "mysql -e x",
        ] {
            assert!(may_log_in(line), "{line}");
        }
        for line in [
            "gzip -dc /a:b",
            "sort -u -k 2 --key=1 https://example.org > /tmp/f 2>&1",
            "cat /p | tr a b | /usr/bin/wc -l",
            "mkdir -p a; cp %p /b/%f",
            "test ! -f /b/%f && cp %p /b/%f",
            "curl -sS -T - https://example.org/x",
            "psql -h h -U a -f /f",
            "find / -name a -type f",
            "tar -xzf /f -C /d",
        ] {
            assert!(!may_log_in(line), "{line}");
        }
    }
}
