# Every setting that a person can make for themselves.
{
  programs.nixTrinity = {
    enable = true;
    level = "beginner";
    role = "empathy";
    learnFromMe = true;
    socket = "/run/user/1000/nix-trinity";
  };
}
