//! A test as a C program that stands alone.
