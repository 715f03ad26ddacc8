# An Ollama without a network, which has the small model under the name that the tests' roles ask for.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  services.ollama = {
    enable = true;
    # There is no library to pull from.
    loadModels = lib.mkForce [ ];
  };

  systemd.services.ollama-small-model = {
    description = "The small model of the tests";
    wantedBy = [ "multi-user.target" ];
    after = [ "ollama.service" ];
    requires = [ "ollama.service" ];
    environment = {
      HOME = "/run/ollama-small-model";
      OLLAMA_HOST = "127.0.0.1:${toString config.services.ollama.port}";
    };
    path = [
      config.services.ollama.package
      pkgs.curl
    ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      RuntimeDirectory = "ollama-small-model";
    };
    script = ''
      # That its unit has started does not mean that it answers.
      curl --silent --fail --retry 60 --retry-delay 1 --retry-all-errors "$OLLAMA_HOST/api/version"
      echo "FROM ${import ./model.nix { inherit pkgs; }}" > "$HOME/Modelfile"
      ollama create smollm2:135m --file "$HOME/Modelfile"
    '';
  };

  virtualisation = {
    cores = 2;
    memorySize = 3072;
  };
}
