-- The partner of whoever follows the page: its users prove themselves by certificate, and so must the reader's.
run_as_root = true
pidfile = "/run/partner.pid"
data_path = "/root/trial/data"
log = { info = "*console" }
plugin_paths = { "/root/trial" }
modules_enabled = { "saslauth", "tls", "disco", "ping" }
modules_disabled = { "c2s", "s2s_auth_dane" }
interfaces = { "11.0.0.20" }
s2s_secure_auth = true
s2s_require_encryption = true
ssl = {
    cafile = "/etc/ssl/certs/ca-certificates.crt",
    certificate = "/root/trial/partner.pem",
    key = "/root/trial/partner.key",
}

VirtualHost "fabrikam.example"
    modules_enabled = { "writes" }
