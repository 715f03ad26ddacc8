# Turned on with all that can be off: no engine, no timers, nothing that answers are grounded in, nothing kept.
{
  services.nixTrinity = {
    enable = true;
    ollama.enable = false;
    timers = {
      weekly.enable = false;
      monthly.enable = false;
      prune.enable = false;
    };
    corpus = {
      options = null;
      manual = null;
    };
    logging.exchanges = false;
    idleTimeout = 0;
  };
  security.polkit.enable = false;
  documentation.enable = false;
}
