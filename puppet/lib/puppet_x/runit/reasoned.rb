# frozen_string_literal: true

module PuppetX; end unless defined?(PuppetX)
module PuppetX::Runit; end unless defined?(PuppetX::Runit)

# A property whose provider knows, in words, what a change would be.
module PuppetX::Runit::Reasoned
  # So many reasons are told of one change: a first run has thousands.
  MANY = 12

  def self.told(reasons, between)
    reasons = [*reasons.first(MANY), "#{reasons.size - MANY} more"] if reasons.size > MANY
    reasons.join(between)
  end

  # With --noop Puppet 7 shows nothing but the two values, where 8 shows what the change would be.
  def is_to_s(value)
    noop ? "#{super} (#{provider.reasons})" : super
  end

  def change_to_s(_is, _should)
    provider.reasons
  end
end
