//! What holds for any bytes: nothing panics or hangs, formatting twice changes nothing, printing and formatting lose nothing.
#![no_main]

use cowherd_litmus::{Colour, Diagnostic, analyse, decode, format, limits, parse, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = decode("fuzz", bytes) else { return };
    let analysis = analyse("fuzz", text);
    let is_test = analysis.test.is_some();
    assert_eq!(is_test, !analysis.diagnostics.iter().any(Diagnostic::is_error));
    assert!(analysis.diagnostics.len() <= limits::MAX_DIAGNOSTICS);
    render(&analysis.diagnostics, text, Colour::Never);
    let Ok(laid_out) = format(text) else {
        assert!(!is_test || text.len() > limits::MAX_TEXT / 2);
        return;
    };
    assert_eq!(format(&laid_out).as_deref(), Ok(laid_out.as_str()), "formatting twice");
    let again = parse("again", &laid_out).ok();
    assert_eq!(again, analysis.test, "formatting changed the test");
    if let Some(test) = again {
        let printed = test.to_string();
        let reparsed = parse("printed", &printed).expect("a printed test parses");
        assert_eq!(reparsed.digest(), test.digest());
        assert_eq!(reparsed.to_string(), printed);
    }
});
