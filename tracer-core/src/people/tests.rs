use proptest::prelude::*;

use super::*;

fn profiles(text: &str) -> Profiles {
    Profiles::read(text.as_bytes()).unwrap_or_else(|why| panic!("{}", why.0))
}

#[test]
fn columns_have_many_names_and_any_order() {
    let text = "\u{feff}Department;Display Name;sAMAccountName;Phone;Networks\r\n\
        Finance;Alice A.;CORP\\alice;1;10.0.0.0/8 192.0.2.7\r\n\
        HR;;bob;;\r\n";
    let all = profiles(text);
    assert_eq!(all.unused, ["Phone"]);
    assert_eq!((all.len(), all.problems.0), (2, 0));
    let alice = all.of("corp\\ALICE").unwrap();
    assert_eq!(alice.name.as_deref(), Some("Alice A."));
    assert_eq!(alice.department.as_deref(), Some("Finance"));
    assert_eq!(alice.expects([10, 1, 2, 3].into()), Some(true));
    assert_eq!(alice.expects([192, 0, 2, 7].into()), Some(true));
    assert_eq!(alice.expects([192, 0, 2, 8].into()), Some(false));
    let bob = all.of("bob").unwrap();
    assert_eq!(bob.expects([10, 1, 2, 3].into()), None);
    assert_eq!(bob.name, None);
}

#[test]
fn an_account_is_itself_and_no_other() {
    let all = profiles("account\nCORP\\alice\nbob\nA\\carol\nB\\carol\ndora@corp.example.com\n");
    let is_known = |account: &str| all.of(account).is_some();
    // A device may leave the domain out, or the table.
    assert!(is_known("alice") && is_known("LOCAL\\alice") && is_known("X\\bob"));
    assert!(is_known("dora") && is_known("DORA@corp.example.com"));
    assert!(!is_known("OTHER\\alice") && !is_known("dora@other.example"));
    // Which of both is not known.
    assert!(!is_known("carol") && is_known("a\\carol"));
    assert!(!is_known("nobody") && !is_known(""));
}

#[test]
fn what_cannot_be_read_is_counted_with_its_line() {
    let all = profiles("account,networks\nalice,10.0.0.0/8 x\n,\nalice,\n");
    let problems: Vec<String> = all.problems.1.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "line 2: no network: `x`",
            "line 3: no account",
            "line 4: `alice` is there already: the first counts"
        ]
    );
    assert_eq!(all.of("alice").unwrap().networks.len(), 1);
    let error = Profiles::read(b"name,department\nx,y\n").unwrap_err();
    assert!(error.0.contains("account"), "{}", error.0);
}

proptest! {
    #[test]
    fn any_table_is_read_or_refused(rows in "[a@\\\\,;\"\n\t 0-9./|é]{0,200}", asked in ".{0,20}") {
        if let Ok(all) = Profiles::read(format!("account,networks\n{rows}").as_bytes()) {
            let _ = all.of(&asked);
            prop_assert!(all.problems.1.len() <= 10);
        }
        let _ = Profiles::read(rows.as_bytes());
    }
}
