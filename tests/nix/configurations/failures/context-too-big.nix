# Says: services.nixTrinity.roles.coder.numCtx: "phi" takes 2048 tokens at most, and not 8192.
{
  services.nixTrinity = {
    enable = true;
    roles.coder = {
      model = "phi";
      numCtx = 8192;
    };
  };
}
