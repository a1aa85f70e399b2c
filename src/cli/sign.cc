// sign: an object file becomes a loader that a host trusts, if it trusts the key.
#include <fmt/core.h>

#include <fstream>

#include "base/text_sink.h"
#include "cli/command.h"
#include "cli/loader.h"
#include "cli/object_file.h"
#include "cli/signed_loader.h"
#include "sign/signature.h"

namespace ring3::cli {
namespace {

struct Options {
  std::string object, key, certificate, output;
  std::int32_t ring = 0;
  bool quiet = false;
};

std::string text_of(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

ExitCode write_file(const std::string& path, const std::vector<std::byte>& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  return file.fail() ? fail(ExitCode::kFailed, path + ": cannot be written") : ExitCode::kDone;
}

ExitCode sign_object(const Options& options) {
  std::string why;
  Result<std::vector<std::byte>> object = read_object_file(options.object, why);
  if (!object.ok()) return fail(exit_code_of_file(object.error()), why);
  const Result<std::vector<std::byte>> key = read_object_file(options.key, why);
  if (!key.ok()) return fail(exit_code_of_file(key.error()), why);
  const Result<std::vector<std::byte>> certificate = read_object_file(options.certificate, why);
  if (!certificate.ok()) return fail(exit_code_of_file(certificate.error()), why);

  const std::string name = module_name_of(options.object);
  Result<SignedLoader> loader = generate_loader(std::move(object).value(), name, why);
  if (!loader.ok()) return fail(exit_code_of(loader.error()), fmt::format("{}: no loader\n{}", options.object, why));
  if (!settle_choices(*loader)) return fail(ExitCode::kFailed, options.object + ": libbpf's loader is of no form that is known here");
  const sign::Bytes parts[] = {loader->insns, loader->data};
  StringSink words;
  Result<std::vector<std::byte>> signature = sign::make_signature(parts, text_of(*key), text_of(*certificate), words);
  if (!signature.ok()) return fail(ExitCode::kFailed, words.text());
  loader->signature = std::move(signature).value();
  loader->ring = options.ring;

  const std::string output = options.output.empty() ? name + ".signed" : options.output;
  if (const ExitCode code = write_file(output, pack(*loader)); code != ExitCode::kDone) return code;
  const Result<sign::Certificate> signer = sign::Certificate::parse(text_of(*certificate));
  if (!options.quiet && signer.ok())
    fmt::print("{}: {} programs, {} maps, signed by {} (sha256 {})\n", output, loader->programs.size(), loader->maps.size(), signer->subject(),
               signer->fingerprint());
  return ExitCode::kDone;
}

}  // namespace

void add_sign(CLI::App& app, Commands& commands) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("sign", "make a signed loader of an object file; no host is needed");
  command->add_option("OBJECT", options->object, "compiled by clang -target bpf")->required();
  command->add_option("-k,--key", options->key, "the private key, PEM")->required();
  command->add_option("-i,--cert", options->certificate, "its X.509 certificate, PEM or DER")->required();
  command->add_option("-o,--output", options->output, "the file to write (default: the module's name and .signed, here)");
  command->add_option("--keyring", options->ring, "the host's keyring that has the certificate (default: 0, builtin)");
  command->add_flag("-q,--quiet", options->quiet, "say nothing on success");
  command->callback([&commands, options] { commands.chosen = [options] { return sign_object(*options); }; });
}

}  // namespace ring3::cli
