# A machine that asks an existing serving system for everything: no Ollama, a key, and packs of knowledge.
{
  services.nixTrinity = {
    enable = true;
    tier = "minimum";
    ollama.enable = false;
    openai = {
      url = "http://192.168.1.20:8000/v1";
      apiKeyFile = "/run/secrets/openai-key";
      embeddingModel = "nomic-embed-text";
    };
    fallBack = [ "quick" ];
    roles =
      let
        served = {
          engine = "openai";
          model = "qwen3-32b";
        };
      in
      {
        expert = served;
        empathy = served;
        coder = served;
        quick = {
          engine = "openai";
          url = "http://192.168.1.21:8080/v1";
          apiKeyFile = "/run/secrets/other-key";
          model = "qwen3-4b";
          numCtx = 8192;
        };
      };
    packs = [
      # What a flake input looks like.
      {
        outPath = "/nix/store/00000000000000000000000000000000-team-knowledge";
        shortRev = "1a2b3c4";
      }
      {
        path = "/srv/knowledge";
        name = "house";
        revision = "7";
      }
    ];
  };
  security.polkit.enable = true;
}
