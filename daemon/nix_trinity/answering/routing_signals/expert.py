"""What speaks for deep reasoning: causes, risks, the inner workings."""

from __future__ import annotations

from nix_trinity.answering.routing_signals.signal import Signal, words

EXPERT: tuple[Signal, ...] = (
    Signal(
        "why",
        "asks why, or for a diagnosis",
        words(
            r"why|how come|what (?:causes|makes|happens|exactly|keeps)|what would happen|root cause|diagnos\w*|debug\w*",
            r"profile|find (?:out|what|the|which)|figure out|properly|under the hood|internals?|how does the \w+|although",
            r"how is (?:it|this|that) \w+|how (?:are|do) [\w, -]{3,30} (?:work|merged|differ|play|interact\w*)|who sets",
            r"which of (?:them|these)|decided?|responsible|at fault|what else|look at next|impossible|have to think of",
            r"warum|wieso|weshalb|pourquoi|por qu[eé]|perch[eé]",
            anywhere=r"почему|为什么|为何|なぜ|どうして|왜",
        ),
        {"expert": 2},
    ),
    Signal(
        "trade_offs",
        "weighs risks or ways of doing it",
        words(
            r"should i (?:go with|use|choose|pick|prefer|take) (?:\S+ ){1,4}or|better to (?:\S+ ){1,6}or",
            r"trade-?offs?|security|secure(?:ly)?|is it (?:safe|dangerous|risky)|attacks?|attackers?|threats?|harden\w*",
            r"secrets?|passwords? (?:hash\w*|file)|(?:private|signing|public) keys?|world-readable|sandbox\w*|sops(?:-nix)?",
            r"agenix|trust\w*|dangerous|exposed?|leak\w*|alternatives|pros and cons|best practice|stolen|few rights|faster",
            r"isolat\w+|permissions?|fail2ban|audit|rootless|untrusted|whole internet|scale|performance|slow|workers",
            r"sicher(?:heit)?|sécurité|seguridad|segurança|sicurezza",
            anywhere=r"безопасн\w*|安全|密钥|セキュリティ|보안",
        ),
        {"expert": 2},
        cap=2,
    ),
    Signal(
        "boot_storage",
        "touches booting, disks or encryption",
        words(
            r"kernels?|initrd|initramfs|stage[- ][12]|bootload\w*|systemd-boot|grub|efi|uefi|esp|kexec|secure boot|tpm2?|luks",
            r"encrypt\w*|decrypt\w*|unlock\w*|zfs|btrfs|ext4|raid|mdadm|lvm|nfs|array|subvolumes?|partitions?|swap ?file",
            r"disko|impermanence|snapshots?|pool|mount(?:ed|s)?|/boot|bzimage|plymouth|dual boot|root disk|read-only root|wiped",
            r"verschlüssel\w*|déchiffr\w*|chiffr\w*|cifrad\w*|partici[óo]n|partição|noyau|núcleo|montar|démarrage|arranque",
            anywhere=r"ядр[оа]|загру[жз]\w+|内核|引导|分区|加密|カーネル|起動|暗号|커널|부팅",
        ),
        {"expert": 2},
        cap=2,
    ),
    Signal(
        "hardware",
        "touches drivers or the graphics card",
        words(
            r"nvidia|amdgpu|gpu|cuda|rocm|vulkan|opengl|prime|graphics card|dedicated card|vfio|iommu|passthrough|acpi|suspend",
            r"resume|hibernat\w+|firmware|drivers?|kernel modules?|raspberry pi|aarch64|arm64|sensors|real-?time|dkms|udev",
            anywhere=r"显卡|驱动|видеокарт\w*|드라이버|ドライバ",
        ),
        {"expert": 2},
        cap=2,
    ),
    Signal(
        "network",
        "touches the inner workings of the network",
        words(
            r"nftables|iptables|wireguard|vlans?|bridged?|rout(?:er?|ed|ing)|packets?|dns|resolved|dhcp|networkd|vpn|ipv6|nat",
            r"systemd-\w+|networkmanager|tailscale|exit node|headscale|subnets?|static ip|network (?:cards?|namespace)|proxy",
            r"throughput|mtu|macvlan|dnssec|acme|bonding|mesh|tunnel|gateway|reverse proxy|virbr\d|libvirt\w*|qemu\S*|kvm",
            r"kubernetes|k3s|podman|docker network|virtual machines?|guests?|firewall",
        ),
        {"expert": 1.5},
        cap=2,
    ),
    Signal(
        "evaluation",
        "touches how Nix evaluates or builds",
        words(
            r"evaluat\w+|import from derivation|ifd|mkforce|mkoverride|submodules?|priorit\w+|module system|freeformtype",
            r"closure|remote build\w*|builders?|cross[- ]compil\w*|emulated|binfmt|binary caches?|cachix|store hashes",
            r"reproduc\w*|rebuild of|garbage collection|daemon|hydra|recursion|lib/modules\.nix|_module\.args|pure mode|max-jobs",
            r"évaluation|récursion|evaluierung|rekursion|recursión",
            anywhere=r"lib/modules\.nix|_module|сборк\w+|рекурс\w+|求值|递归|評価|평가",
        ),
        {"expert": 2},
        where="all",
        cap=2,
    ),
    Signal(
        "operations",
        "is about running servers",
        words(
            r"servers?|namespaces?|cgroups?|oom|memory limits?|limits|seccomp|dbus|journal|serial console|headless|postgres\w*",
            r"nextcloud|matrix|gitlab|mail ?server|keycloak|ldap|kerberos|prometheus|cluster|deploy\w*|machines|hosts|database",
            r"backup|replicat\w*|emergency mode|under load|coredump|gpg|pam",
        ),
        {"expert": 1},
        cap=2,
    ),
    Signal(
        "data_at_stake",
        "moves data or versions that must survive",
        words(
            r"migrat\w*|without losing|los(?:e|ing) (?:\w+ )?(?:data|mail|files|database)|data ?loss|major versions?",
            r"convert (?:an?|my|the) (?:\w+ )?(?:installation|system|disk|root)|state ?version|data directory|restore",
            r"(?:move|moving) (?:\w+ ){1,5}(?:from|to)|upgrad\w+ (?:\w+ ){0,3}(?:from|to)|downgrade|production",
            r"migrier\w*|migr(?:er|ar|ation|ación|ação|are)|datenverlust|perdre|perder",
            anywhere=r"миграц\w*|迁移|移行|마이그레이션",
        ),
        {"expert": 2.5},
    ),
    Signal(
        "deep_error",
        "shows an error that needs a diagnosis",
        words(
            r"infinite recursion|conflicting definition|defined multiple times|stack overflow|max-call-depth|cycle detected",
            r"builder for \S+ failed|dependenc\w+ (?:\S+ )?failed|evaluation aborted|while evaluating|collision between",
            r"with features|cannot find attribute|failed with result|job timed out|timed out waiting|dependency failed",
            r"kernel: ?|kernel panic|segfault|core dumped|call trace|oom-kill\w*|xid|gpu reset|controller is down|not of type",
            r"code=exited|could not be imported|stage 1 of the boot|emergency mode|version mismatch|eperm|marked as broken",
            r"implicit declaration|too many open files|is not valid|pure evaluation mode|failed to (?!run custom)\w+",
            r"cannot (?:build|copy|allocate)|bad address|i/o error|fatal|abort\w*|refused|timed out",
        ),
        {"expert": 3},
        where="all",
    ),
    Signal(
        "error",
        "shows an error",
        words(r"error: ?|erro |traceback", anywhere=r"ошибка|错误|报错|エラー|오류"),
        {"expert": 1},
        where="all",
    ),
)
