# A `pkgs` in which nothing is built: each package is a name and a place in the store, and each generated file tells the
# renderer what is in it.
#
# The places have no hash, so that a golden does not change with one and a container can have the project at exactly
# that path. What is generated (writeText, runCommand, …) is reported as a trace when something refers to it: one line,
# "golden-file:" and JSON. So the goldens hold each file that the configuration uses, and no other.
{
  lib,
  overlay ? _: _: { },
}:
let
  place = name: "/nix/store/00000000000000000000000000000000-${name}";

  # Enough of a derivation for nixpkgs' lib: types.package, getExe, getBin, makeBinPath, override.
  package =
    {
      name,
      pname ? name,
      version ? "",
      outPath ? place name,
      mainProgram ? pname,
      passthru ? { },
    }@args:
    passthru
    // {
      type = "derivation";
      inherit
        name
        pname
        version
        outPath
        ;
      outputName = "out";
      outputs = [ "out" ];
      out = package args;
      meta = {
        inherit mainProgram;
      }
      // passthru.meta or { };
      override = _: package args;
      overrideAttrs = _: package args;
    };

  generated =
    {
      name,
      kind,
      mainProgram ? name,
      ...
    }@file:
    let
      path = place name;
      report = builtins.toJSON (removeAttrs file [ "mainProgram" ] // { inherit path; });
    in
    package {
      inherit name mainProgram;
      outPath = builtins.trace "golden-file:${report}" path;
      passthru.generated = { inherit kind; };
    };

  names = import ./package-names.nix;
  plain = lib.genAttrs names.packages (name: package { inherit name; });
  pythonPackage =
    name:
    package {
      name = "python3-${name}";
      pname = name;
    };
  pythonPackages = lib.genAttrs names.python pythonPackage // {
    tree-sitter-grammars.tree-sitter-nix = pythonPackage "tree-sitter-nix";
  };

  # Keeps what it was called with, so that a test can read a package's arguments.
  buildPythonApplication =
    args:
    let
      arguments = if lib.isFunction args then lib.fix args else args;
      name = "${arguments.pname}-${arguments.version}";
    in
    package {
      inherit name;
      inherit (arguments) pname version;
      mainProgram = arguments.meta.mainProgram or arguments.pname;
      passthru = (arguments.passthru or { }) // {
        inherit arguments;
        meta = arguments.meta or { };
      };
    };

  # nixpkgs' types and arguments; the renderer writes the TOML, which nixpkgs does with a program when it is built.
  toml = _: {
    type =
      let
        value =
          lib.types.oneOf [
            lib.types.bool
            lib.types.int
            lib.types.float
            lib.types.str
            lib.types.path
            (lib.types.attrsOf value)
            (lib.types.listOf value)
          ]
          // {
            description = "TOML value";
          };
      in
      value;
    generate =
      name: value:
      generated {
        inherit name value;
        kind = "toml";
      };
  };

  base = plain // {
    inherit lib pythonPackages;

    path = ./nixpkgs;
    system = "x86_64-linux";
    stdenv = rec {
      hostPlatform = lib.systems.elaborate "x86_64-linux";
      buildPlatform = hostPlatform;
    };
    runtimeShell = "${self.bash}/bin/bash";

    python3Packages = pythonPackages // {
      inherit buildPythonApplication;
      fetchPypi = args: package { name = "${args.pname}-${args.version}.whl"; };
      python = self.python3;
    };
    python3 = plain.python3 // {
      pkgs = self.python3Packages;
      withPackages =
        choose:
        package {
          name = "python3-env";
          mainProgram = "python3";
          passthru.chosen = map (one: one.pname) (choose self.python3Packages);
        };
    };

    formats = { inherit toml; };

    nixos =
      configuration:
      import ./system.nix
        {
          inherit lib;
          pkgs = self;
        }
        [
          configuration
          (
            { config, ... }:
            {
              # Beside the parts that are declared here, a system has many that are not.
              _module.check = false;
              # What NixOS documents of itself, without the configuration that asks for it.
              system.build.manual = lib.mkIf config.documentation.nixos.enable (
                lib.mkForce { optionsJSON = package { name = "release-options.json"; }; }
              );
            }
          )
        ];
    options-json = package { name = "options.json"; };
    nixos-system = package { name = "nixos-system"; };
    testers.runNixOSTest = import ./vm-test.nix {
      inherit lib package;
      pkgs = self;
    };

    extend = overlay: import ./packages.nix { inherit lib overlay; };
    callPackage = lib.callPackageWith self;

    writeText =
      name: text:
      generated {
        inherit name text;
        kind = "text";
      };
    writeShellScript =
      name: text:
      generated {
        inherit name;
        kind = "script";
        text = "#!${self.runtimeShell}\n${text}\n";
      };
    # The store has a folder for it; the golden has its one program.
    writeShellScriptBin =
      name: text:
      generated {
        inherit name;
        kind = "program";
        text = "#!${self.runtimeShell}\n${text}\n";
      };
    runCommand =
      name: environment: text:
      generated {
        inherit name text environment;
        kind = "command";
      };
    writeShellApplication =
      args:
      builtins.deepSeq (map toString (args.runtimeInputs or [ ])) (generated {
        inherit (args) name text;
        kind = "program";
      });
    mkShell =
      args:
      builtins.deepSeq (map toString (args.packages or [ ] ++ args.inputsFrom or [ ])) (package {
        name = args.name or "nix-shell";
      });
  };

  self = base // overlay self base;
in
self
