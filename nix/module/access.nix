# Who may ask, and who sees and steers more than their own exchanges.
{ config, lib, ... }:
let
  cfg = config.services.nixTrinity;

  groupOption =
    args:
    lib.mkOption (
      {
        type = lib.types.strMatching "[a-z_][a-z0-9_-]*";
      }
      // args
    );

  exists = option: group: {
    assertion = config.users.groups ? ${group};
    message = ''
      services.nixTrinity.${option}: there is no group "${group}" on this system.
      Name a group that exists, or create it: users.groups."${group}" = { };'';
  };
in
{
  options.services.nixTrinity = {
    users = groupOption {
      default = "users";
      example = "nix-trinity";
      description = ''
        The group whose members may ask: the socket belongs to it. `users` is the primary group of every person's
        account; to let only some ask, name `nix-trinity` and add that group to their `extraGroups`.
        Everyone sees their own exchanges alone.
      '';
    };

    operators = groupOption {
      default = "wheel";
      description = ''
        The group whose members see everybody's exchanges, review them, build, prune and roll back. They have to be in
        {option}`services.nixTrinity.users` as well, to be let in at the socket.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      (exists "users" cfg.users)
      (exists "operators" cfg.operators)
    ];

    # A static user: a peer's group and the polkit rule name it, and a restored back-up still belongs to it.
    users.users.nix-trinity = {
      isSystemUser = true;
      group = "nix-trinity";
      home = "/var/lib/nix-trinity";
      description = "NixTrinity";
    };
    users.groups.nix-trinity = { };

    services.nixTrinity.settings.access = {
      users_group = cfg.users;
      operators_group = cfg.operators;
    };
  };
}
