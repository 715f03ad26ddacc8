# What tests/container boots on a real systemd: the smallest tier, with the tests' own small model in every role.
{
  services.nixTrinity = {
    enable = true;
    tier = "tiny";
    roles =
      let
        small = {
          model = "smollm2:135m";
          numCtx = 4096;
        };
      in
      {
        expert = small;
        empathy = small;
        coder = small;
        quick = small;
      };
    corpus = {
      options = "/etc/nix-trinity-test/options.json";
      manual = null;
    };
    idleTimeout = 15;
    learnFrom = "everyone";
    settings.learning = {
      # Whether a build is put off must not hang on the machine that runs the tests.
      on_battery = true;
      beside_nix_builds = true;
      most_memory_pressure_percent = 100;
    };
  };
  security.polkit.enable = true;
}
