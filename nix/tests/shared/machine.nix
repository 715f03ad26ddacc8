# A machine with the service on the small model, and two people who ask. Short prompts and answers, as two cores do the
# model's work; tests/container has the same settings.
{ self }:
{ lib, ... }:
{
  imports = [ self.nixosModules.default ];

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
      options = ../../../tests/data/sample-options.json;
      manual = null;
    };
    idleTimeout = 5;
    settings = {
      answering = {
        passages_tokens = 150;
        answer_tokens = 48;
      };
      learning = {
        evaluation_questions = 1;
        most_memory_pressure_percent = 100;
      };
    };
  };

  users.users = {
    alice.isNormalUser = true;
    bob.isNormalUser = true;
  };

  virtualisation.memorySize = lib.mkDefault 2048;
}
