// The kit's search for a vendor's library, with an opener that only looks at the name.
#include "axle/engine_kit/vendor_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace axle::kit {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kVariable = "AXLE_VENDOR_SEARCH_TEST_LIBRARY";

class VendorSearchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "axle-vendor-search-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    fs::create_directories(folder_ / "sdk" / "lib");
    fs::create_directories(folder_ / "system");
    search_ = {"Vendor",          kVariable, "pip install vendor", "libvendor.so", "sdk/lib", {(folder_ / "system").string()},
               {"libvendor.so.1"}};
    args_.search_folders = {folder_.string()};
    unsetenv(kVariable);
  }
  void TearDown() override {
    unsetenv(kVariable);
    fs::remove_all(folder_);
  }
  std::string touch(const std::string& path) const {
    std::ofstream(folder_ / path) << "no library";
    return (folder_ / path).string();
  }
  // Opens what ends with `usable`; the reason for a bare name is the dynamic linker's.
  std::string open(const std::string& usable) const {
    return open_vendor_library(search_, args_, [&](const std::string& path) {
      if (!usable.empty() && path.ends_with(usable)) return path;
      throw unavailable(path + (path.find('/') == std::string::npos ? ": No such file or directory" : " is broken"));
    });
  }
  Error refusal(const std::string& usable) const {
    try {
      open(usable);
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "opened something";
    return internal("");
  }

  fs::path folder_;
  VendorSearch search_;
  CreateArgs args_;
};

TEST_F(VendorSearchTest, ListsTheNewestOfAFolderFirstAndTheSystemLast) {
  const std::string old = touch("sdk/lib/libvendor.so.1.9.0");
  const std::string recent = touch("sdk/lib/libvendor.so.1.31.1");
  const std::string plain = touch("libvendor.so");
  const std::string system = touch("system/libvendor.so.2");
  touch("sdk/lib/libvendor_extra.so");
  EXPECT_THAT(library_candidates(search_, args_.search_folders), ElementsAre(recent, old, plain, system, "libvendor.so.1"));
}

TEST_F(VendorSearchTest, GoesOnToTheNextWhenOneIsBroken) {
  touch("sdk/lib/libvendor.so.3");
  const std::string usable = touch("sdk/lib/libvendor.so.2");
  EXPECT_EQ(open("libvendor.so.2"), usable);
  EXPECT_EQ(open("libvendor.so.1"), "libvendor.so.1");
}

TEST_F(VendorSearchTest, NamesEveryFileItCouldNotUse) {
  touch("sdk/lib/libvendor.so.3");
  touch("system/libvendor.so.2");
  const Error error = refusal("");
  EXPECT_EQ(error.code(), AXLE_UNAVAILABLE);
  EXPECT_THAT(error.message(), HasSubstr("no usable Vendor: "));
  EXPECT_THAT(error.message(), HasSubstr("sdk/lib/libvendor.so.3 is broken"));
  EXPECT_THAT(error.message(), HasSubstr("system/libvendor.so.2 is broken"));
  EXPECT_THAT(error.message(), Not(HasSubstr("libvendor.so.1")));
  EXPECT_EQ(error.hint(), "pip install vendor");
}

TEST_F(VendorSearchTest, SaysThatNothingWasFound) {
  const Error error = refusal("");
  EXPECT_EQ(error.message(), "Vendor was not found in 1 search folders nor on the system (libvendor.so.1)");
  EXPECT_EQ(error.hint(), "pip install vendor");
}

TEST_F(VendorSearchTest, ReplacesNothingThatWasNamed) {
  touch("sdk/lib/libvendor.so.3");
  setenv(kVariable, "/no/such/library.so", 1);
  const Error named = refusal("libvendor.so.3");
  EXPECT_THAT(named.message(), HasSubstr(std::string(kVariable) + " cannot be used: /no/such/library.so"));
  args_.library_path = "/configured.so";
  const Error configured = refusal("libvendor.so.3");
  EXPECT_THAT(configured.message(), HasSubstr("the configured library cannot be used: /configured.so"));
  EXPECT_THAT(configured.hint(), HasSubstr("pip install vendor"));
}

TEST(OtherCopies, FindsWhatIsMappedButNotThePathGiven) {
  const std::vector<std::string> copies = other_copies("", {"libc.so"});
  ASSERT_EQ(copies.size(), 1u);
  EXPECT_THAT(other_copies(copies[0], {"libc.so"}), ::testing::IsEmpty());
}

TEST(VersionNumbers, StopAtWhatIsNone) {
  EXPECT_THAT(version_numbers("1.31.1-rc2"), ElementsAre(1, 31, 1));
  EXPECT_THAT(version_numbers("abc"), ::testing::IsEmpty());
}

}  // namespace
}  // namespace axle::kit
