# Every option that a machine with an Ollama of its own may need, and the parts of NixOS beside it that it works with.
{ pkgs, ... }:
{
  services.nixTrinity = {
    enable = true;
    tier = "optimal";
    ramGiB = 128;
    modern = true;
    roles = {
      expert = {
        model = "qwen3:30b-instruct";
        adapter = "/var/lib/adapters/expert.gguf";
        numCtx = 16384;
      };
      coder.modelfile = ./files/coder.Modelfile;
    };
    ollama = {
      createLocally = true;
      package = pkgs.ollama-cuda;
      port = 11435;
    };
    timers = {
      weekly = {
        onCalendar = "Sun 04:00";
        randomizedDelaySec = 3600;
      };
      monthly.randomizedDelaySec = 0;
    };
    retention = {
      previous = 3;
      weekly = 8;
      monthly = 12;
      exchangeDays = null;
      exchangeMegabytes = null;
    };
    corpus = {
      homeManager = "/run/current-system/sw/share/doc/home-manager/options.json";
      notes = [ ./files/notes ];
    };
    users = "nix-trinity";
    operators = "nix-reviewers";
    learnFrom = "everyone";
    idleTimeout = 60;
    logging.level = "debug";
    explainErrors = true;
    httpPort = 11480;
    httpTokenFile = "/run/secrets/nix-trinity-token";
    settings = {
      answering.max_running = 1;
      learning.on_battery = true;
    };
  };
  services.ollama.port = 11435;
  users.groups.nix-reviewers = { };
  users.users.alice = {
    isNormalUser = true;
    extraGroups = [
      "nix-trinity"
      "nix-reviewers"
    ];
  };
  security.polkit.enable = true;
  documentation.nixos.includeAllModules = true;
}
