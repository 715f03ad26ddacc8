# The same door on a loopback port, for programs that cannot talk to a Unix socket. Off by default.
{ config, lib, ... }:
let
  inherit (lib) types;
  cfg = config.services.nixTrinity;
  on = cfg.enable && cfg.httpPort != null;
  secretFile = import ./secret-file.nix { inherit lib; };
in
{
  options.services.nixTrinity = {
    httpPort = lib.mkOption {
      type = types.nullOr (types.ints.between 1 65535);
      default = null;
      example = 11480;
      description = ''
        A port of loopback, and of nothing else, on which the daemon answers as on its socket, to whoever brings the token
        of {option}`services.nixTrinity.httpTokenFile`; `null` for none. It speaks OpenAI's API too, at `http://127.0.0.1:PORT/v1`.
        Stopping `nix-trinity.service` by hand closes it until somebody asks at the socket.
      '';
    };

    httpTokenFile = lib.mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "/run/secrets/nix-trinity-token";
      description = ''
        A file, outside the store, with the token of 16 characters or more that programs on
        {option}`services.nixTrinity.httpPort` have to bring. systemd hands it to the daemon; only root need be able to read it. It is the API key of programs that speak OpenAI's API.
      '';
    };
  };

  config = lib.mkIf on {
    assertions = [
      {
        assertion = cfg.httpTokenFile != null;
        message = ''
          services.nixTrinity.httpPort is set without services.nixTrinity.httpTokenFile: every program on this machine could ask.
          Make a token (head -c 32 /dev/urandom | base64 > FILE, as root, mode 0600) and set services.nixTrinity.httpTokenFile = "FILE".'';
      }
    ]
    ++ lib.optionals (cfg.httpTokenFile != null) (secretFile {
      option = "httpTokenFile";
      file = cfg.httpTokenFile;
      example = "/run/secrets/nix-trinity-token";
    });

    systemd.sockets.nix-trinity-http = {
      description = "NixTrinity: questions on a loopback port";
      wantedBy = [ "sockets.target" ];
      # A switch leaves sockets as they are, but restarts the daemon: with it, a changed port counts.
      partOf = [ "nix-trinity.service" ];
      socketConfig = {
        ListenStream = "127.0.0.1:${toString cfg.httpPort}";
        FileDescriptorName = "http";
        Service = "nix-trinity.service";
        # The daemon's own limits do not hold for a socket that it is given.
        IPAddressDeny = "any";
        IPAddressAllow = "localhost";
      };
    };

    systemd.services.nix-trinity = {
      # Or a switch that adds the port would start the daemon without it: systemd adds no socket to one that runs. Wanted
      # and not required, so that a port that is taken leaves the daemon where it is.
      wants = [ "nix-trinity-http.socket" ];
      after = [ "nix-trinity-http.socket" ];
      serviceConfig.LoadCredential = [ "http-token:${toString cfg.httpTokenFile}" ];
    };

    services.nixTrinity.settings.http = {
      port = cfg.httpPort;
      # A bare name is looked up among the credentials that systemd hands over.
      token_file = "http-token";
    };
  };
}
