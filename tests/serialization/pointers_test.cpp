// SPDX-License-Identifier: MIT
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <joblot/serialization/pointers.hpp>

#include "round_trip.hpp"

namespace {

using joblot::NotShippableError;
using round_trip::encoded;
using round_trip::sent;

struct Link {
  int value = 0;
  std::shared_ptr<Link> next;
};

struct Animal {
  virtual ~Animal() = default;
  [[nodiscard]] virtual std::string sound() const = 0;
  template <class Archive>
  void serialize(Archive&) {}
};

struct Dog : Animal {
  std::string name = "dog";
  [[nodiscard]] std::string sound() const override { return name + " barks"; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Animal>(this), name);
  }
};

struct Wolf : Animal {  // not registered
  [[nodiscard]] std::string sound() const override { return "howls"; }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Animal>(this));
  }
};

struct Widget {  // polymorphic and not abstract
  virtual ~Widget() = default;
  int width = 3;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(width);
  }
};

struct Button : Widget {
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Widget>(this));
  }
};

struct Silent {  // nothing for cereal at all
  virtual ~Silent() = default;
};

class Made {  // only by load_and_construct
 public:
  explicit Made(std::string text) : text_(std::move(text)) {}
  Made(Made const&) = delete;
  Made& operator=(Made const&) = delete;
  [[nodiscard]] std::string const& text() const { return text_; }

  template <class Archive>
  void serialize(Archive& archive) {
    archive(text_);
  }
  template <class Archive>
  static void load_and_construct(Archive& archive, cereal::construct<Made>& construct) {
    std::string text;
    archive(text);
    construct(text);
  }

 private:
  std::string text_;
};

class Cat : public Animal {  // cannot be moved, and has a private default constructor
 public:
  explicit Cat(int lives) : lives_(lives) {}
  Cat(Cat const&) = delete;
  Cat& operator=(Cat const&) = delete;
  [[nodiscard]] std::string sound() const override { return std::to_string(lives_); }

 private:
  friend class cereal::access;
  Cat() = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(cereal::base_class<Animal>(this), lives_, self_);
  }
  int lives_ = 0;
  std::weak_ptr<int> self_;
};

class Bird : public Animal {
 public:
  explicit Bird(int size) : size_(size) {}
  [[nodiscard]] std::string sound() const override { return std::to_string(size_); }
  template <class Archive>
  void serialize(Archive& archive) {
    archive(size_);
  }
  template <class Archive>
  static void load_and_construct(Archive& archive, cereal::construct<Bird>& construct) {
    int size = 0;
    archive(size);
    construct(size);
  }

 private:
  int size_;
};

}  // namespace

CEREAL_REGISTER_TYPE(Dog)
CEREAL_REGISTER_TYPE(Cat)
CEREAL_REGISTER_TYPE(Bird)
CEREAL_REGISTER_POLYMORPHIC_RELATION(Animal, Bird)

namespace {

TEST(Pointers, WhatTheyOwnComesBack) {
  EXPECT_EQ(*sent(std::make_unique<int>(3)), 3);
  EXPECT_EQ(*sent(std::make_shared<std::string>("text")), "text");
  EXPECT_EQ(*sent(std::make_shared<std::string const>("text")), "text");
  EXPECT_EQ(*sent(std::make_unique<std::string const>("text")), "text");
  EXPECT_EQ(sent(std::unique_ptr<int>()), nullptr);
  EXPECT_EQ(sent(std::shared_ptr<int>()), nullptr);
}

TEST(Pointers, AnObjectSharedInOneValueIsSharedAfterwards) {
  auto const object = std::make_shared<int>(3);
  auto const back = sent(std::vector{object, object, std::make_shared<int>(3)});
  EXPECT_EQ(back[0], back[1]);
  EXPECT_NE(back[0], back[2]);
  EXPECT_EQ(*back[2], 3);
}

TEST(Pointers, AChainComesBackAndACircleIsAnError) {
  auto const first = std::make_shared<Link>();
  first->next = std::make_shared<Link>(Link{2, nullptr});
  EXPECT_EQ(sent(first)->next->value, 2);
  first->next->next = first;
  EXPECT_THROW(encoded(first), NotShippableError);
  first->next = nullptr;
}

TEST(Pointers, AnObjectOfARegisteredClassComesBackWhole) {
  std::unique_ptr<Animal> const unique = std::make_unique<Dog>();
  EXPECT_EQ(sent(unique)->sound(), "dog barks");
  std::shared_ptr<Animal> const shared = std::make_shared<Dog>();
  auto const back = sent(std::pair(shared, shared));
  EXPECT_EQ(back.first->sound(), "dog barks");
  EXPECT_EQ(back.first, back.second);
  EXPECT_EQ(sent(std::vector(3, shared)).at(2)->sound(), "dog barks");
  EXPECT_EQ(sent(std::shared_ptr<Animal>()), nullptr);
}

TEST(Pointers, WhatCanOnlyBeMadeInPlaceComesBack) {
  EXPECT_EQ(sent(std::make_unique<Made>("text"))->text(), "text");
  EXPECT_EQ(sent(std::make_shared<Made>("text"))->text(), "text");
  std::unique_ptr<Animal> const cat = std::make_unique<Cat>(7);
  EXPECT_EQ(sent(cat)->sound(), "7");
  std::shared_ptr<Animal> const bird = std::make_shared<Bird>(4);
  EXPECT_EQ(sent(bird)->sound(), "4");
}

TEST(Pointers, AnObjectOfAnUnregisteredClassIsAnErrorThatNamesIt) {
  std::unique_ptr<Animal> const unique = std::make_unique<Wolf>();
  std::shared_ptr<Animal> const shared = std::make_shared<Wolf>();
  try {
    encoded(unique);
    ADD_FAILURE() << "an unregistered class was sent";
  } catch (NotShippableError const& error) {
    EXPECT_NE(std::string(error.what()).find("Wolf"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("CEREAL_REGISTER_TYPE"), std::string::npos);
  }
  EXPECT_THROW(encoded(shared), NotShippableError);
  EXPECT_THROW(encoded(std::shared_ptr<Silent>(new Silent)), NotShippableError);
}

TEST(Pointers, NothingIsSliced) {
  std::unique_ptr<Widget> const exact = std::make_unique<Widget>();
  EXPECT_EQ(sent(exact)->width, 3);
  std::unique_ptr<Widget> const derived = std::make_unique<Button>();
  EXPECT_THROW(encoded(derived), NotShippableError);
}

}  // namespace
