//! Base64 in lines between two markers: a wall for a fuzzer, who should get at what is behind it.

/// Bytes as OpenSSH armours them.
pub fn armour(kind: &str, bytes: &[u8]) -> String {
    let encoded = base64_simd::STANDARD.encode_to_string(bytes);
    let lines: Vec<&str> = encoded.as_bytes().chunks(70).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}
