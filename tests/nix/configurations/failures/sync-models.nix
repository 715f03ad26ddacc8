# Says: services.ollama.syncModels would remove every version
# Says: Set services.ollama.syncModels = false
{
  services.nixTrinity.enable = true;
  services.ollama.syncModels = true;
}
