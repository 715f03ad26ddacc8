# A test on virtual machines of one of the scenarios, which the container tests run as well: tests/scenarios/NAME.sh.
{
  pkgs,
  self,
  name,
  # Set for the scenario, as shell words.
  environment ? { },
  # A further module for the machine that is asked; by default it has an Ollama of its own.
  machine ? ./ollama.nix,
  # Further machines, and what is run before the scenario.
  nodes ? { },
  before ? "",
}:
let
  scenarios = ../../../tests/scenarios;
  script = pkgs.writeText "${name}.sh" (
    builtins.readFile (scenarios + "/shared.sh") + builtins.readFile (scenarios + "/${name}.sh")
  );
in
pkgs.testers.runNixOSTest {
  name = "nix-trinity-${name}";

  nodes = nodes // {
    machine.imports = [
      (import ./machine.nix { inherit self; })
      machine
    ];
  };

  testScript = ''
    start_all()
    ${
      if nodes == { } then
        ''machine.wait_for_unit("ollama-small-model.service")''
      else
        pkgs.lib.concatMapStringsSep "\n" (node: ''${node}.wait_for_unit("ollama-small-model.service")'') (
          pkgs.lib.attrNames nodes
        )
    }
    machine.wait_for_unit("nix-trinity.socket")
    ${before}
    print(machine.succeed("${
      pkgs.lib.concatStrings (
        pkgs.lib.mapAttrsToList (variable: value: "${variable}=${value} ") environment
      )
    }bash ${script} 2>&1", timeout=900))
  '';
}
