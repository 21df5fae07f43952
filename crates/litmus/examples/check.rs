//! Checks the files named on the command line and draws what is wrong with them.
fn main() {
    for name in std::env::args().skip(1) {
        let bytes = std::fs::read(&name).expect("a readable file");
        match cowherd_litmus::decode(&name, &bytes) {
            Err(diagnostics) => eprintln!("{}", diagnostics[0]),
            Ok(text) => {
                let analysis = cowherd_litmus::analyse(&name, text);
                eprint!(
                    "{}",
                    cowherd_litmus::render(
                        &analysis.diagnostics,
                        text,
                        cowherd_litmus::Colour::Never
                    )
                );
                println!("{:#?}", analysis.test);
            }
        }
    }
}
