"""Secrets as people paste them, and innocent text that only looks like it.

No value is a real secret: all are drawn from a fixed seed, and known prefixes are joined at import, so that
scanners of repositories find nothing here. Other tests send the shapes as questions and look for the raw
values.
"""

from __future__ import annotations

import base64
import random
import string
from dataclasses import dataclass

_RANDOM = random.Random(28)  # a fixed seed: a failure must repeat


@dataclass(frozen=True, slots=True)
class Shape:
    """A text with secrets in it, and each secret as a person would grep for it."""

    name: str
    text: str
    secrets: tuple[str, ...]


def _word(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    # A digit and both cases are always there, as in nearly all generated passwords.
    return "k7Q" + "".join(_RANDOM.choices(alphabet, k=length - 3))


def _base64(size: int) -> str:
    return base64.b64encode(_RANDOM.randbytes(size)).decode()


def _hex(length: int) -> str:
    return "".join(_RANDOM.choices("0123456789abcdef", k=length))


def _upper(length: int) -> str:
    return "".join(_RANDOM.choices(string.ascii_uppercase + "234567", k=length))


def _pem(title: str, lines: int, *, end: bool = True, header: str = "") -> tuple[str, tuple[str, ...]]:
    body = [_base64(48) for _ in range(lines)] + [_base64(20)]
    dashes = "-" * 5
    rows = [f"{dashes}BEGIN {title}{dashes}", *([header, ""] if header else []), *body]
    return "\n".join([*rows, f"{dashes}END {title}{dashes}"] if end else rows), tuple(body)


_SHAPES: list[Shape] = []


def _add(name: str, template: str, *secrets: str) -> None:
    """Put the secrets into ``template`` where it says §0, §1, …"""
    text = template
    for number, secret in enumerate(secrets):
        text = text.replace(f"§{number}", secret)
    _SHAPES.append(Shape(name, text, secrets))


def _add_block(name: str, template: str, block: tuple[str, tuple[str, ...]], *, escape: bool = False) -> None:
    text = block[0].replace("\n", "\\n") if escape else block[0]
    _SHAPES.append(Shape(name, template.replace("§", text), block[1]))


# Nix
_add("nix password", 'Why is users.users.ann.password = "§0"; ignored after nixos-rebuild switch?', _word(12))
_add(
    "nix initialPassword",
    'users.users.bob = {\n  isNormalUser = true;\n  initialPassword = "§0";\n};',
    "changeme",
)
_add("nix dictionary password", 'services.foo = { user = "ann"; password = "§0"; };', "correct" + "horse")
_add("nix mkForce", 'services.mastodon.smtp.password = lib.mkForce "§0"; # does it win?', _word(16))
_add("nix mkIf", 'password = lib.mkIf config.x.enable "§0"; still evaluates', _word(16))
_add(
    "nix value on the next line",
    'services.gitea.settings.security.SECRET_KEY =\n      "§0";\n  services.gitea.enable = true;',
    _word(40),
)
_add(
    "nix indented string",
    "environment.etc.x.text = y;\nsecret = ''\n  §0\n  §1\n'';\nother = 1;",
    _word(20),
    _word(20),
)
_add("nix psk", 'networking.wireless.networks."Café 5G".psk = "§0"; gives WRONG_KEY', "my cat " + _word(8))
_add("nix pskRaw", 'networking.wireless.networks.home.pskRaw = "§0";', _hex(64))
_add(
    "nix wpaPassphrase",
    'services.hostapd.radios.wlp2s0.networks.wlp2s0.authentication.wpaPassphrase = "§0";',
    _word(14),
)
_add("nix apiKey", 'services.sonarr.settings.auth.apiKey = "§0";\nservices.sonarr.enable = true;', _hex(32))
_add(
    "nix wireguard",
    'networking.wireguard.interfaces.wg0 = { privateKey = "§0"; listenPort = 51820; };',
    _base64(32),
)
_add(
    "nix wireguard peer",
    'peers = [ { publicKey = "' + _base64(32) + '"; presharedKey = "§0"; allowedIPs = [ "10.0.0.2/32" ]; } ];',
    _base64(32),
)
_add(
    "nix attrset hashed",
    'hashedPassword = "§0"; and I still cannot log in',
    "$" + "6$" + _word(16) + "$" + _word(86),
)
_add(
    "nix access-tokens",
    "nix.conf has\naccess-tokens = github.com=§0 gitlab.example.org=PAT:§1\nbut I am rate limited",
    "gh" + "p_" + _word(36),
    "gl" + "pat-" + _word(20),
)
_add("nix cache secret key", "echo cache.example.org-1:§0 > /etc/nix/key.private", _base64(64))
_add(
    "nix systemd environment",
    'systemd.services.bot.serviceConfig.Environment = [ "BOT_TOKEN=§0" "LOG=debug" ];',
    _word(24),
)
# Shell
_add("shell export", "export FOO_TOKEN=§0 && nixos-rebuild switch --flake .#host", _word(22))
_add("shell quoted export", "$ export DB_PASSWORD='§0'\n$ psql", "p4ss, with; odd & signs!" + _word(4))
_add("shell flag equals", "nix run .#deploy -- --password=§0 --host web1", _word(12))
_add("shell flag blank", "gh-runner register --url https://example.org --token §0 --name ci", _word(29))
_add("shell plain word flag", "iwctl --passphrase §0 station wlan0 connect Home", "correct" + "horsebattery")
_add("sshpass", "sshpass -p '§0' ssh ann@10.0.0.5 uptime", "hunter two " + _word(4))
_add("mysql -p", "mysql -h db.lan -u root -p§0 nextcloud < dump.sql", _word(10))
_add("curl -u", "curl -sS -u ann:§0 'https://cloud.example.org/remote.php?a=1&b=2' -o out", _word(18))
_add("mosquitto", "mosquitto_pub -h mqtt.lan -p 1883 -u ha -P §0 -t test -m hello", _word(10))
_add("docker login", "docker login -u ann -p §0 registry.example.org", _word(14))
_add("redis-cli", "redis-cli -h 10.0.0.3 -a §0 ping", _word(14))
_add(
    "cryptsetup pipe",
    "echo -n '§0' | sudo cryptsetup luksOpen /dev/nvme0n1p2 root -",
    "open sesame " + _word(4),
)
_add("zfs pipe", 'printf "%s" "§0" | zfs load-key tank/home', _word(10))
_add("chpasswd pipe", "echo 'ann:§0' | chpasswd # on the installer", _word(10))
_add("cryptsetup here string", "cryptsetup open /dev/sda2 crypt <<< '§0'", _word(10))
_add("nmcli", "nmcli device wifi connect Home password §0 ifname wlp3s0", _word(11))
_add("wpa_passphrase", 'wpa_passphrase "My Home" §0 > /etc/wpa.conf', _word(11))
_add("openssl pass", "openssl enc -aes-256-cbc -pass pass:§0 -in a -out b", _word(11))
_add("mkpasswd", "mkpasswd -m sha-512 §0", _word(9))
_add("smbclient", "smbclient //nas/media -U 'ann%§0' -c ls", _word(9))
_add("borg and restic", "env:\nBORG_PASSPHRASE=§0\nRESTIC_PASSWORD=§1\nHOME=/root", _word(20), _word(20))
_add(
    "aws variables",
    "AWS_ACCESS_KEY_ID=§0\nAWS_SECRET_ACCESS_KEY=§1\nAWS_REGION=eu-west-1",
    "AK" + "IA" + _upper(16),
    _word(40),
)
# Files
_add("yaml", "mqtt:\n  host: 10.0.0.2\n  username: ha\n  password: §0\n  port: 1883", _word(12))
_add("yaml phrase", "wifi:\n  ssid: Home\n  password: §0\n  fast: true", "correct horse " + "battery staple")
_add("yaml block", "smtp:\n  password: |\n    §0\n    §1\n  port: 587", _word(20), _word(12))
_add("json", '{"user": "ann", "password": "§0", "port": 5432}', 'qu\\"ote' + _word(8))
_add(
    "escaped json",
    'msg="POST body {\\"user\\":\\"ann\\",\\"client_secret\\":\\"§0\\"}" status=401',
    _word(24),
)
_add("toml", '[matrix]\nhomeserver = "https://example.org"\naccess_token = "§0"', _word(30))
_add("ini", "[database]\nUSER = gitea\nPASSWD = §0\nHOST = /run/postgresql", "two words " + _word(6))
_add("wpa_supplicant", 'network={\n  ssid="Home"\n  psk="§0"\n  key_mgmt=WPA-PSK\n}', "wifi phrase " + _word(4))
_add(
    "wg-quick",
    "[Interface]\nPrivateKey = §0\nAddress = 10.0.0.1/24\n[Peer]\nPresharedKey = §1",
    _base64(32),
    _base64(32),
)
_add("netrc", "machine cache.example.org login ann password §0", _word(13))
_add("netrc lines", "machine github.com\n  login ann\n  password §0\n", _word(13))
_add("pgpass", "cat ~/.pgpass says\ndb.lan:5432:nextcloud:ann:§0\nbut psql asks", _word(13))
_add("python repr", "Settings(host='db', password='§0', retries=3) failed", _word(13))
_add("python dict", "{'api_key': b'§0', 'timeout': 5}", _word(32))
_add("xml", "<server><username>ann</username><password>§0</password></server>", _word(12))
_add("connection string", "Server=db;User Id=sa;Password=§0;Encrypt=true", _word(12))
_add("redis.conf", "port 6379\nrequirepass §0\nmaxmemory 1gb", _word(12))
_add("docker config", '{"auths": {"ghcr.io": {"auth": "§0"}}}', _base64(24))
_add("shadow line", "ann:§0:19800:0:99999:7:::", "$" + "y$j9T$" + _word(22) + "$" + _word(43))
_add("sql", "CREATE USER nextcloud WITH PASSWORD '§0'; GRANT ALL ON DATABASE nextcloud", "plainword")
_add("sql identified by", "ALTER USER 'ann'@'localhost' IDENTIFIED BY '§0'; FLUSH PRIVILEGES", "otherword")
_add(
    "nix type error",
    "error: A definition for option `services.x.password' is not of type `string'. Definition values:\n"
    "       - In `/etc/nixos/configuration.nix': §0\n       - In `/etc/nixos/b.nix': §1\n(see --show-trace)",
    "81726354",
    "91726354",
)
_add("nginx", 'proxy_set_header Authorization "Basic §0"; proxy_pass http://x;', _base64(15))
_add(
    "nix type error, typographic",
    "error: A definition for option ‘services.x.password’ is not of type ‘string’. Definition values:\n"
    "       - In ‘/etc/nixos/configuration.nix’: §0",
    "71726354",
)
_add("yaml doubled quote", "password: '§0'\nuser: ann", "it" + "''s me")
_add("ssh-keygen", 'ssh-keygen -t ed25519 -N "§0" -f key', "two words")
# HTTP
_add("bearer", "curl -H 'Authorization: Bearer §0' http://127.0.0.1:8123/api/", _word(40))
_add("bearer alone", "the client logged: using bearer §0 for the retry", _word(24))
_add("basic", "> GET / HTTP/1.1\n> Authorization: Basic §0\n> Host: x", _base64(18))
_add("token scheme", '{"Authorization": "Token §0", "Accept": "*/*"}', _hex(40))
_add("client debug log", "send headers [(b'Host', b'x'), (b'Authorization', b'Bearer §0')]", _word(40))
_add(
    "cookie",
    "< Set-Cookie: nc_session=§0; path=/; HttpOnly\n> Cookie: a=1; oc_token=§1",
    _word(26),
    _word(26),
)
_add("api key header", "curl -H 'X-Api-Key: §0' http://sonarr.lan:8989/api/v3/system/status", _hex(32))
_add("private-token header", "wget --header='PRIVATE-TOKEN: §0' https://gitlab.lan/api/v4/projects", _word(20))
_add(
    "url credentials",
    "fetching postgres://nextcloud:§0@db.lan:5432/nextcloud failed: timeout",
    "p@" + _word(10),
)
_add("url token", "git clone https://§0@git.example.org/ann/dots.git", _word(30))
_add(
    "query tokens",
    "GET https://x.org/f?access_token=§0&page=2&sig=§1 HTTP/1.1 403",
    _word(24),
    _word(24) + "%3D",
)
_add("otpauth", "otpauth://totp/Home:ann?secret=§0&issuer=Home&digits=6", _upper(32))
_add(
    "slack webhook",
    "curl https://hooks.slack.com/services/§0 -d x",
    "T" + _upper(8) + "/B" + _upper(8) + "/" + _word(24),
)
_add("discord webhook", "url https://discord.com/api/webhooks/123456789012345678/§0 gives 404", _word(68))
# Prefixes
for _name, _secret in {
    "github": "gh" + "p_" + _word(36),
    "github oauth": "gh" + "o_" + _word(36),
    "github server": "gh" + "s_" + _word(36),
    "github fine": "github" + "_pat_" + _word(22) + "_" + _word(59),
    "gitlab": "gl" + "pat-" + _word(20),
    "slack bot": "xo" + "xb-" + "123456789012-" + _word(24),
    "openai": "s" + "k-" + _word(48),
    "anthropic": "s" + "k-ant-api03-" + _word(90),
    "google": "AI" + "za" + _word(35),
    "hugging face": "h" + "f_" + _word(34),
    "npm": "np" + "m_" + _word(36),
    "pypi": "py" + "pi-AgEIcHlwaS5vcmc" + _word(60),
    "digitalocean": "do" + "p_v1_" + _hex(64),
    "tailscale": "ts" + "key-auth-" + _word(17) + "-" + _word(32),
    "sendgrid": "S" + "G." + _word(22) + "." + _word(43),
    "jwt": "ey" + "J" + _word(30) + ".ey" + "J" + _word(60) + "." + _word(43),
    "telegram": "1234567890" + ":AA" + _word(33),
    "age": "AGE-SECRET" + "-KEY-1" + _upper(58),
    "age plugin": "AGE-PLUGIN" + "-YUBIKEY-1" + _upper(30),
    "bcrypt": "$" + "2b$12$" + _word(53),
    "argon2": "$" + "argon2id$v=19$m=65536,t=3,p=4$" + _word(22) + "$" + _word(43),
}.items():
    _add(f"prefix {_name}", "I pasted §0 into the box by mistake, what now?", _secret)
# Blocks
_add_block("openssh key", "My host key:\n§\nsshd refuses it", _pem("OPENSSH PRIVATE KEY", 5))
_add_block("rsa key with headers", "see\n§\nthanks", _pem("RSA PRIVATE KEY", 3, header="Proc-Type: 4,ENCRYPTED"))
_add_block("pgp key", "gpg says\n§\nbad", _pem("PGP PRIVATE KEY BLOCK", 4, header="Comment: ann"))
_add_block("truncated key", "cat key.pem\n§\n", _pem("PRIVATE KEY", 4, end=False))
_add_block(
    "truncated key, then prose",
    "§\n\nand then it stops, why is that so?",
    _pem("EC PRIVATE KEY", 2, end=False),
)
_add_block("key on one line", 'ACME_KEY="§" in the env file', _pem("PRIVATE KEY", 3), escape=True)
_key = _pem("PRIVATE KEY", 4)
_add_block("key without beginning", "journal:\n§\nend", (_key[0].partition("\n")[2], _key[1]))
# Prose
_add("told in prose", "my wifi password is §0 and iwd will not take it", _word(10))
_add("told in quotes", 'The passphrase is "§0", do I need to escape it?', "open " + "sesame")

SHAPES: tuple[Shape, ...] = tuple(_SHAPES)

INNOCENT: tuple[str, ...] = (
    "Pass `inputs` through `specialArgs`.\nPass `all` to listen everywhere; check with `echo test | gpg --clearsign`.",
    "printf hello | openssl dgst -sha256; generate-keys --private-key matrix_key.pem",
    'privateKey = "private.key"; passwordHint = "birthday"; passwordColumn = "password"; TOKEN_SOURCE = "none";',
    "PASSPHRASE=«...»\nCI_SERVER_TOKEN=<runner authentication token secret>\nTOKEN=token",
    'aws_access_key_id = "AKIAXXXXXXXXXXXXXXXX"; apikey = "EXAMPLE_API_KEY"; url = "ss://u:your-password@:8488";',
    'url = "/update?user=%u&password=%p&domain=%h"; `[{ntrip}://][user:passwd@]host[:port]`',
    'SECRET = {_secret = "/run/keys/oidc"; }; secret = name: "/var/lib/secrets/${name}.pem";',
    "export SECRET_VAR=`head -1 /run/keys/secret`",
    "- SERVER_TOKEN_SECRET_BASE64: The base64-encoded key that is used by the\n  server",
    'psk = "ext:psk_home"; psk = null; password = secret; password = placeholder;',
    "password: 5 characters at least\nwpa_passphrase: command not found",
    'pin = "nixpkgs-pin"; led = { pin = 17; }; max_tokens = 4096; passwords: 3',
    "https://nextcloud-user-2024@cloud.example.org",
    'how do I set users.users.ann.hashedPasswordFile = "/run/secrets/ann"; in a flake?',
    'services.restic.backups.home.passwordFile = "/etc/nixos/restic-password";',
    'services.gitlab.secrets.secretFile = "/run/keys/gitlab"; tokenFile = ./token.age;',
    "services.nextcloud.config.adminpassFile = config.sops.secrets.nextcloud.path;",
    "systemd.services.x.serviceConfig.EnvironmentFile = config.age.secrets.env.path;",
    "password = config.sops.placeholder.db;",
    "password = builtins.readFile ./secret;",
    "token = dbToken;",
    'sops.secrets."smtp/password" = { owner = "ann"; sopsFile = ./smtp.yaml; };',
    'age.secrets.wifi-password.file = ./wifi.age; age.identityPaths = [ "/etc/ssh/ssh_host_ed25519_key" ];',
    'services.openssh.settings.PasswordAuthentication = false;\nPermitRootLogin = "prohibit-password";',
    'services.openssh.settings = { PasswordAuthentication = "no"; KbdInteractiveAuthentication = false; };',
    "security.sudo.wheelNeedsPassword = false;",
    'users.users.root.hashedPassword = "!"; users.users.ann.initialPassword = "";',
    'nix.settings.trusted-public-keys = [ "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=" ];',
    "extra-trusted-public-keys = nix-community.cachix.org-1:mB9FSh9qf2dCimDSUo8Zy7bkq5CX+/rkCWyvRCYg3Fs=",
    "secret-key-files = /etc/nix/key.private",
    "what is a password manager?",
    "What is the difference between a token and a secret in sops-nix?",
    "error: syntax error, unexpected token, expecting ';'",
    "token: expected ;",
    "error: syntax error, unexpected token: identifier at /etc/nixos/configuration.nix:12:5",
    "SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
    'error: unexpected token: "}"',
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann@laptop",
    'users.users.ann.openssh.authorizedKeys.keys = [ "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7 ann" ];',
    "ED25519 key fingerprint is SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU.",
    'hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";',
    "specified: sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    "   got: sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    'hash = "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==";',
    "sha512:z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "/nix/store/0c0gsvvqpb6hxhnzzk9kq9vzd6q8sd3l-gh-token-helper-1.2.drv failed with exit code 1",
    'rev = "9f4128e00b0ae8ec65918efeba59db998750ead6";',
    'fileSystems."/".device = "/dev/disk/by-uuid/3e6be9de-8139-4a1e-9106-a43f08d823a6";',
    "link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff inet6 2001:4860:4860:0:0:8888:a:b",
    "2001:4860:4860:0:a0:8888",
    'wireguard.interfaces.wg0.peers = [ { publicKey = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="; } ];',
    'age.recipients = [ "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kudd8s3qs2apv6x" ];',
    "curl -H \"Authorization: Bearer $TOKEN\" -u 'ann:$PASS' https://example.org",
    "export GITHUB_TOKEN=$(cat /run/secrets/github) DB_PASSWORD=${DB_PASSWORD:-}",
    "mysql -u root -p nextcloud; nmcli device wifi connect Home password <password>",
    "docker run -p 8080:80 -e TZ=UTC docker://nginx:1.25@sha256:0d17b565c37bcbd895e9d92315a05c1c3c9a29f762b011a10c54a66cd53c9b31",
    "ssh://git@github.com/NixOS/nixpkgs.git and http://[::1]:8080/a@b and https://example.org:8443/@ann",
    "echo 1 | sudo tee /proc/sys/vm/drop_caches; journalctl -u mysql -p err",
    "Failed password for root from 10.0.0.9 port 22 ssh2",
    "[sudo] password for ann: \nSorry, try again.",
    "password  required  pam_unix.so nullok yescrypt\nauth sufficient pam_unix.so",
    "passwd:    files systemd\nshadow:    files",
    "max_tokens: 4096, num_ctx = 8192, tokens per second: 31.5, tokenizer = 'gpt2', eos_token = '</s>'",
    "permissions:\n  id-token: write\nsecrets: inherit",
    "def login(user: str, password: str, token: str | None = None) -> bool: ...",
    "client = Client(password=settings.password, token=token)",
    "password = input('Password: ') or prompt(stream)\ndef ask(prompt='Password: ', stream=None, token=None): ...",
    'LoadCredential = [ "password:${config.services.x.passwordFile}" "codecov-token:/run/secrets/codecov" ];',
    'password = "$__file{${config.sops.secrets.grafana.path}}"; token = "%env(TOKEN)%";',
    "hasPassword = opts.passwordFile or null != null;\nsecrets = filterDir onlyMachines secretsDir;",
    'user-passwords = userPasswordTest "sops-user-passwords" {',
    "secrets = { }; tokens = [ ];",
    'private_key = "/$CREDENTIALS_DIRECTORY/matrix-server-key"; secret = "\\${SHARED_SECRET}"',
    'token="$(cat "$out/client")" printf \'TOKEN=%s\\n\' "$1"; access_token="$1"',
    'access-tokens = "github.com=$(gh auth token)"',
    "git clone https://x-access-token:$token@github.com/ann/dots and irc+tls://mic92-prometheus@chat.example.org",
    "rad follow did:key:z6MkjE3BSJn4Y129rhqi5rViSUru8KSBcCQdQcDZq1cnjumw with DES-CBC3-SHA:MD5:PSK:EDH-RSA-DES-CBC3",
    "PWD=/home/ann OLDPWD=/etc/nixos XDG_SESSION_ID=3",
    "PASS: tests/basic.sh\nFAIL: tests/other.sh",
    "interface: wg0\n  public key: xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\n  private key: (hidden)",
    "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ8\n-----END CERTIFICATE-----",
    "error: The option `services.x.passwordFile' is not of type `path'. Definition values:\n"
    "       - In `/etc/nixos/configuration.nix': 5",
    "passwd: unrecognized option '--stdin'\npasswd: password updated successfully",
    "Is there an option to reset the password: of a user, without a reboot?",
    'the sk-learn package, hf_transfer and npm_config_registry are fine; so is key = "value"',
    "echo $1 $2 ${6} costs $5 and $6 ; awk '{print $1$2}'",
)
