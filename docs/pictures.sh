#!/usr/bin/env bash
# Makes what the book and README.md show and what is not text.
#
#     docs/pictures.sh book      the pages that the book embeds, then the book: target/book
#     docs/pictures.sh readme    the two screenshots of README.md: docs/images (needs chromium, chromium-driver, COWHERD_AXE)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${1-} in
book)
    cargo build --release --locked -p cowherd
    mkdir -p docs/src/pages
    target/release/cowherd explain odirect-swap -k v5.18 --format html >docs/src/pages/lost.html
    target/release/cowherd explain odirect-swap -k v5.19 --why-not --format html >docs/src/pages/why-not.html
    mdbook build docs
    ;;
readme)
    COWHERD_BLESS=1 cargo test --release --locked -p cowherd --test browser -- --ignored mails_witness matrix
    ;;
*)
    sed -n '2,5p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
