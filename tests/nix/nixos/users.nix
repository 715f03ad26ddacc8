# users.*: accounts and groups, with the rules that NixOS asserts.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.users;

  option = type: default: mkOption { inherit type default; };

  user.options = {
    isSystemUser = option types.bool false;
    isNormalUser = option types.bool false;
    uid = option (types.nullOr types.int) null;
    group = option types.str "";
    extraGroups = option (types.listOf types.str) [ ];
    description = option (types.strMatching "[^:\n]*") "";
    home = option types.path "/var/empty";
    createHome = option types.bool false;
    homeMode = option (types.strMatching "[0-7]{1,5}") "700";
    shell = option (types.nullOr (types.either types.package types.path)) null;
  };

  group.options = {
    gid = option (types.nullOr types.int) null;
    members = option (types.listOf types.str) [ ];
  };

  # Groups that every NixOS has (the few that a configuration may name).
  builtinGroups = [
    "audio"
    "keys"
    "root"
    "systemd-journal"
    "users"
    "wheel"
  ];
in
{
  options.users = {
    users = mkOption {
      type = types.attrsOf (types.submodule user);
      default = { };
    };
    groups = mkOption {
      type = types.attrsOf (types.submodule group);
      default = { };
    };
  };

  config = {
    users.groups = lib.genAttrs builtinGroups (_: { });

    assertions = lib.concatLists (
      lib.mapAttrsToList (name: one: [
        {
          assertion = one.isSystemUser != one.isNormalUser;
          message = "users.users.${name}: exactly one of isSystemUser and isNormalUser has to be true.";
        }
        {
          assertion = one.isNormalUser || one.group != "";
          message = "users.users.${name}.group is not set.";
        }
        {
          assertion = one.group == "" || cfg.groups ? ${one.group};
          message = "users.users.${name}.group: there is no group ${one.group}.";
        }
      ]) cfg.users
    );

    rendered.users = cfg.users;
    rendered.groups = removeAttrs cfg.groups builtinGroups;
  };
}
