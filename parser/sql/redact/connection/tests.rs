use super::*;

fn shown(text: &str, form: Form) -> (String, bool) {
    let mut ranges = Vec::new();
    let open = secrets(text, form, |range| ranges.push(range));
    ranges.sort_by_key(|range| range.start);
    let mut out = text.to_owned();
    for range in ranges.into_iter().rev() {
        out.replace_range(range, "*");
    }
    (out, open)
}

#[test]
fn only_the_password_of_a_connection_string_goes() {
    for (text, expected) in [
        ("host=h password=CANARY dbname=d", "host=h password=* dbname=d"),
        ("password = 'CAN ARY' host=h", "password = '*' host=h"),
        (r"password='CAN\' ARY' host=h", "password='*' host=h"),
        (r"password=CAN\ ARY host=h", "password=* host=h"),
        ("password=CAN&ARY;x host=h", "password=* host=h"),
        ("DSN=d;UID=u;PWD=CANARY;DATABASE=b", "DSN=d;UID=u;PWD=*;DATABASE=b"),
        ("Server=h;Password=CAN ARY;x=y", "Server=h;Password=*;x=y"),
        ("s3://b?a=b&AWS_SECRET_ACCESS_KEY=CANARY&c=d", "s3://b?a=b&AWS_SECRET_ACCESS_KEY=*&c=d"),
        ("<a><password>CANARY</password></a>", "<a><password>*</password></a>"),
        ("password>5 login --password CANARY", "password>5 login --password *"),
        ("login --password CANARY -h h", "login --password * -h h"),
        ("PWD={CAN;ARY};UID=u", "PWD=*;UID=u"),
        ("postgres://u:CANARY@h/d?sslmode=a", "postgres://u:*@h/d?sslmode=a"),
        ("postgres://h/d?password=CANARY&user=u", "postgres://h/d?password=*&user=u"),
        ("postgres://u:CAN:AR@Y@h,i/d", "postgres://u:*@h,i/d"),
        ("see https://example.org/a@b, c=d", "see https://example.org/a@b, c=d"),
        ("host \"h\", password \"CANARY\", user \"u\"", "host \"h\", password \"*\", user \"u\""),
        (r#"{"url":"postgres:\/\/u:CANARY@h"}"#, r#"{"url":"postgres:\/\/u:*@h"}"#),
        ("password: CANARY, x", "password: *, x"),
        ("postgres://h/d?%70ass%77ord=CANARY&user=u", "postgres://h/d?%70ass%77ord=*&user=u"),
        ("jdbc:sqlserver://h;user=u;password=CANARY;x=y", "jdbc:sqlserver://h;user=u;password=*;x=y"),
        ("password_encryption=md5 a::b", "password_encryption=md5 a::b"),
        ("password=ž", "password=*"),
        ("see https://example.org:8080/@joe", "see https://example.org:8080/@joe"),
        ("postgres://u:CANARY/8080@h/d", "postgres://u:*@h/d"),
        ("see https://example.org/a:b@c", "see https://example.org/a:b@c"),
        (r#"{"password": "CAN\"ARY", "n": 1}"#, r#"{"password": "*", "n": 1}"#),
        (r#"{"a": {"password":123},"b":1}"#, r#"{"a": {"password":*},"b":1}"#),
        (r#"{"password": ["CANARY", "CANARY"], "n": 1}"#, r#"{"password": *, "n": 1}"#),
        (r#"{'password' : 'CANARY'}"#, r#"{'password' : '*'}"#),
        (r#"{\"password\":\"CANARY\"}"#, r#"{\"password\":*"#),
        ("a::password::b", "a::password::b"),
    ] {
        assert_eq!(shown(text, Form::Any), (expected.to_owned(), false), "{text}");
    }
    let connection = shown("mysql://u:CAN ARY'@h/d", Form::Connection);
    assert_eq!(connection, ("mysql://u:*@h/d".to_owned(), false));
    assert_eq!(shown("a=b oauth_client_secret=CANARY", Form::Connection).0, "a=b oauth_client_secret=*");
    assert_eq!(shown("token=1", Form::Any).0, "token=1");
}

#[test]
fn a_text_may_end_before_its_password() {
    for text in [
        "host=h password=",
        "password = ",
        "postgres://u:",
        "postgres://u:ab",
        "postgres://%s:%s@%s/d",
        "password: ",
        "host=%s password=%s user=%s",
        "SET PASSWORD='",
    ] {
        assert!(shown(text, Form::Any).1, "{text}");
    }
    assert_eq!(shown("password='CANARY", Form::Any), ("password=*".to_owned(), true));
    for text in ["host=h", "http://h:80", "http://h:80/a", "https://", "password"] {
        assert!(!shown(text, Form::Any).1, "{text}");
    }
}

#[test]
fn what_looks_like_code_or_a_placeholder_may_be_a_password() {
    for text in [
        r#"{"password":"@PasswordCANARY1"}"#,
        r#"{"password":"$PasswCANARY0rd"}"#,
        r#"{"password":":MypasswordCANARY"}"#,
        "password=$PasswCANARY0rd2024",
        "host=h password=@dmin_CANARY_pass dbname=d",
        r#"password: process.env.DB_PASSWORD||"CANARY""#,
        r#"password = os.environ.get("DB_PASSWORD","CANARY")"#,
        r#"password = ENV["P"]||"CANARY""#,
        r#"password: request.password||"CANARY""#,
        r#"{"password":"text,CANARY"}"#,
        "password: string(CANARY)",
        "password=${CANARY",
        "password={{4CANARY9t}}",
        r#"{"password":"{{x}}CANARY}}"}"#,
        "password={{a}}CANARY",
        "https://h/x?token=a/CANARY/b.cat",
        "password: CANARY2024()",
        "http://h/x/password:CANARY4X9t2",
    ] {
        assert!(!shown(text, Form::Any).0.contains("CANARY"), "{text}");
    }
    for text in [
        "password: process.env.DB_PASSWORD,",
        r#"password = os.environ["DB_PASSWORD"]"#,
        "password: request.password;",
        "password: string | null",
        "password: varchar(255)",
        "password=${DB_PASSWORD}",
        "password={{ password }}",
        "password = :password",
        "https://h/x?key=photos/2024/cat.jpg",
    ] {
        assert_eq!(shown(text, Form::Any).0, text);
    }
}
